// Ouroboros-snake is a Battlesnake server. See README.md.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"ouroboros-arena"

	"ouroboros-snake/gamelog"
	"ouroboros-snake/inprocess"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/selfplay"
	"ouroboros-snake/server"
	"ouroboros-snake/thoughts"
	"ouroboros-snake/weights"
)

//go:embed config.yaml
var embedded []byte

//go:embed leaf.eval
var embeddedEval []byte

// noEval as -eval's value: the snake's own evaluation alone.
const noEval = "none"

// Exit codes: 2 for what the user can mend (flags, weights, port), 1 for a failure while serving.
const (
	exitFailed = 1
	exitUsage  = 2
)

// drain bounds how long requests in flight are waited for at shutdown.
const drain = 800 * time.Millisecond

type options struct {
	host, port, config, games, eval string
	verbose, showGames              bool
	think, choose                   int
	selfPlay                        selfplay.Plan
}

func main() {
	arena.MainOnBoards(inprocess.Loader(shippedEval))
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	complain := log.New(os.Stderr, "ouroboros-snake: ", 0)
	opt, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return exitUsage // the flag set has said why
	}
	w, err := load(opt.config)
	if err != nil {
		complain.Print(err)
		return exitUsage
	}
	learned := learnedFrom(opt.eval, complain)
	if offline := offlineOf(opt, w, learned); offline != nil {
		if err := offline(); err != nil {
			complain.Print(err)
			return exitFailed
		}
		return 0
	}
	recorder, err := record(opt.games)
	if err != nil {
		complain.Print(err)
		return exitUsage
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(opt.host, opt.port))
	if err != nil {
		complain.Printf("%v; choose another port with -port or PORT", err)
		return exitUsage
	}
	var verbose *log.Logger
	if opt.verbose {
		verbose = log.New(os.Stderr, "", log.LstdFlags|log.Lmicroseconds|log.LUTC)
	}
	handler := server.New(w, learned, recorder, verbose, complain).Handler()
	listeners := []net.Listener{listener}
	if socket := os.Getenv("OUROBOROS_SOCKET"); socket != "" {
		local, err := net.Listen("unix", socket)
		if err != nil {
			complain.Printf("%v; correct the environment's OUROBOROS_SOCKET, or leave it out", err)
			return exitUsage
		}
		listeners = append(listeners, local)
	}
	if err := serve(listeners, handler); err != nil {
		complain.Print(err)
		return exitFailed
	}
	return 0
}

func parse(args []string) (options, error) {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8000"
	}
	var opt options
	flags := flag.NewFlagSet("ouroboros-snake", flag.ContinueOnError)
	flags.StringVar(&opt.host, "host", "0.0.0.0", "address to listen on")
	flags.StringVar(&opt.port, "port", port, "port to listen on; the environment's PORT is the default")
	flags.StringVar(&opt.config, "config", "", "YAML file with the weights, instead of those built in")
	flags.StringVar(&opt.games, "games-dir", os.Getenv("OUROBOROS_GAMES_DIR"),
		"folder to append finished games to; the environment's OUROBOROS_GAMES_DIR is the default, empty keeps none")
	flags.IntVar(&opt.think, "think", 0, "no server: say of each /move request on stdin, one a line, what comes of each move, "+
		"within so many positions a move")
	flags.IntVar(&opt.choose, "choose", 0, "no server: answer each /move request on stdin, one a line, with the first letter of its "+
		"move, within so many positions")
	flags.StringVar(&opt.eval, "eval", "", "file of a learned leaf evaluation, which helps the snake's own, instead of the one built in; "+noEval+": none")
	flags.IntVar(&opt.selfPlay.Games, "self-play", 0, "no server: play so many games against itself and write each as a line of JSON")
	flags.Int64Var(&opt.selfPlay.First, "seed", 1, "of the first game of -self-play; the others follow")
	flags.IntVar(&opt.selfPlay.Seats, "seats", 2, "snakes in each game of -self-play")
	flags.IntVar(&opt.selfPlay.Positions, "positions", 1000, "scored at most for each move of -self-play")
	flags.Float64Var(&opt.selfPlay.Stray, "stray", 0.04, "share of the moves of -self-play that are any open one")
	flags.BoolVar(&opt.showGames, "show-games", false, "no server: write what a learned evaluation is shown of the games of -self-play on stdin")
	flags.BoolVar(&opt.verbose, "verbose", false, "tell every move on stderr")
	if err := flags.Parse(args); err != nil {
		return opt, err
	}
	fault := ""
	if flags.NArg() > 0 {
		fault = fmt.Sprintf("unexpected argument %q", flags.Arg(0))
	} else if n, err := strconv.Atoi(opt.port); err != nil || n < 0 || n > 65535 {
		fault = fmt.Sprintf("port %q is no number from 0 to 65535", opt.port)
	}
	if fault != "" {
		fmt.Fprintln(flags.Output(), "ouroboros-snake:", fault)
		return opt, errors.New(fault)
	}
	return opt, nil
}

// learnedFrom reads the learned evaluation; with noEval, or where it cannot be used, the snake plays by its own.
func learnedFrom(file string, complain *log.Logger) *leafeval.Evaluation {
	switch file {
	case "":
		return shippedEval()
	case noEval:
		return nil
	}
	learned, err := leafeval.ReadFile(file)
	if err != nil {
		complain.Printf("%v; playing by the snake's own evaluation", err)
		return nil
	}
	return learned
}

// shippedEval is the learned evaluation that is built in.
func shippedEval() *leafeval.Evaluation {
	learned, err := leafeval.Parse(embeddedEval)
	if err != nil {
		panic("the leaf evaluation built in " + err.Error()) // a build with a damaged file: its tests fail
	}
	return learned
}

// offlineOf is what to do instead of serving; nil: serve.
func offlineOf(opt options, w *weights.Weights, learned *leafeval.Evaluation) func() error {
	switch {
	case opt.think > 0:
		return func() error { return thoughts.Tell(os.Stdin, os.Stdout, w, opt.think, learned) }
	case opt.choose > 0:
		return func() error { return thoughts.Choose(os.Stdin, os.Stdout, w, opt.choose, learned) }
	case opt.selfPlay.Games > 0:
		return func() error { return selfplay.Play(os.Stdout, opt.selfPlay, w, learned) }
	case opt.showGames:
		return func() error { return selfplay.Show(os.Stdin, os.Stdout, w, learned) }
	}
	return nil
}

func load(file string) (*weights.Weights, error) {
	if file == "" {
		return weights.Parse("embedded config.yaml", embedded)
	}
	return weights.ReadFile(file)
}

// record opens the game log, or none if no folder is named.
func record(dir string) (server.Recorder, error) {
	if dir == "" {
		return nil, nil
	}
	return gamelog.Open(dir, time.Now)
}

// serve answers until SIGTERM or SIGINT, then finishes the requests in flight, within a second.
func serve(listeners []net.Listener, handler http.Handler) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	srv := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute,
		ErrorLog: log.New(os.Stderr, "ouroboros-snake: ", 0)}
	failed := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { failed <- srv.Serve(listener) }()
		fmt.Fprintf(os.Stderr, "listening on %s\n", listener.Addr())
	}
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	ctx, done := context.WithTimeout(context.Background(), drain)
	defer done()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return srv.Close() // cuts off the callers that have not finished their requests
}
