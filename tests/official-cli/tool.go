//go:build tools

// Package tools makes `go mod tidy` keep what the official command needs.
package tools

import _ "github.com/BattlesnakeOfficial/rules/cli/battlesnake"
