// Hydra is a snake for the tests that knows nothing of Ouroboros: its settings have other names and a nested layout, half
// of them nobody reads, it listens on the port that stands there, and its program is built from cmd/hydra.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/hydra/internal/mind"
	"example.com/hydra/internal/wire"
)

func main() {
	text, err := os.ReadFile("settings/tuning.yaml")
	if err != nil {
		log.Fatal(err)
	}
	settings, err := mind.Read(text)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(out http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(out, `{"apiversion":"1","color":"#3a5f0b"}`)
	})
	http.HandleFunc("/move", func(out http.ResponseWriter, in *http.Request) {
		var request wire.Request
		if err := json.NewDecoder(in.Body).Decode(&request); err != nil {
			http.Error(out, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(out, `{"move":%q}`, mind.Decide(&request, settings))
	})
	fmt.Println("hydra awakes") // to standard output, as many snakes do
	log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", settings.Server.Port), nil))
}
