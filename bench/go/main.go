// SPDX-License-Identifier: Apache-2.0

// An echo service by connect-go, for bench.py to measure side by side with Muster's engine: Connect
// and gRPC, HTTP/1.1 and h2c, on a free port of loopback. Prints "ready ADDRESS" and serves until it
// is told to end. The message is a well-known type of one string in field 1, for which the protobuf
// module brings generated code.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/sourcecontextpb"
)

const procedure = "/muster.bench.v1.Echo/Echo"

func echo(_ context.Context, in *connect.Request[sourcecontextpb.SourceContext]) (
	*connect.Response[sourcecontextpb.SourceContext], error) {
	return connect.NewResponse(&sourcecontextpb.SourceContext{FileName: in.Msg.GetFileName()}), nil
}

func main() {
	var protocols http.Protocols

	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewUnaryHandler(procedure, echo))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready %s\n", listener.Addr())
	server := http.Server{Handler: mux, Protocols: &protocols}
	log.Fatal(server.Serve(listener))
}
