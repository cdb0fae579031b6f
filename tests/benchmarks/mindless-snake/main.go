// Mindless-snake walks round a square of four cells until it starves: the cheapest snake there can be, so that a
// benchmark shows what the referee itself and HTTP cost.
package main

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

var moves = [4][]byte{
	[]byte(`{"move":"up"}`), []byte(`{"move":"left"}`), []byte(`{"move":"down"}`), []byte(`{"move":"right"}`),
}

// turnOf returns the last two digits of the turn, which decide it modulo 4.
func turnOf(body []byte) int {
	turn := 0
	if at := bytes.Index(body, []byte(`"turn":`)); at >= 0 {
		for _, digit := range body[at+7:] {
			if digit < '0' || digit > '9' {
				break
			}
			turn = turn*10%100 + int(digit-'0')
		}
	}
	return turn
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/move" {
			w.Write([]byte(`{"apiversion":"1"}`))
			return
		}
		w.Write(moves[turnOf(body)%4])
	})
	if socket := os.Getenv("OUROBOROS_SOCKET"); socket != "" {
		local, err := net.Listen("unix", socket)
		if err != nil {
			log.Fatal(err)
		}
		go http.Serve(local, nil)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
