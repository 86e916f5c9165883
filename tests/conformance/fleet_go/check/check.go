// SPDX-License-Identifier: Apache-2.0

// Package check counts named cases and knows the ways in which a client may speak to the server.
package check

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"connectrpc.com/connect"
)

// Way is one protocol, codec and version of HTTP.
type Way struct {
	Name   string
	Client *http.Client
	// Binary says that it has a binary codec, in which tenants are not served.
	Binary  bool
	Options []connect.ClientOption
}

func client(http2 bool) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Client{Transport: &http.Transport{Protocols: &protocols}}
}

// Ways are all of them; authorization goes with each call.
func Ways(authorization string) []Way {
	one, two := client(false), client(true)
	gzip := connect.WithSendGzip()
	json := connect.WithProtoJSON()
	ways := []Way{
		{"connect proto h1", one, true, nil},
		{"connect proto gzip h1", one, true, []connect.ClientOption{gzip}},
		{"connect json h1", one, false, []connect.ClientOption{json}},
		{"connect proto h2c", two, true, nil},
		{"connect json gzip h2c", two, false, []connect.ClientOption{json, gzip}},
		{"grpc proto h2c", two, true, []connect.ClientOption{connect.WithGRPC()}},
		{"grpc proto gzip h2c", two, true, []connect.ClientOption{connect.WithGRPC(), gzip}},
		{"grpc json h2c", two, false, []connect.ClientOption{connect.WithGRPC(), json}},
		{"grpc-web proto h1", one, true, []connect.ClientOption{connect.WithGRPCWeb()}},
		{"grpc-web json h1", one, false, []connect.ClientOption{connect.WithGRPCWeb(), json}},
		{"grpc-web proto gzip h2c", two, true, []connect.ClientOption{connect.WithGRPCWeb(), gzip}},
	}
	for i := range ways {
		ways[i].Options = append(ways[i].Options, Authorized(authorization))
	}
	return ways
}

// Authorized puts the credential into every call.
func Authorized(authorization string) connect.ClientOption {
	return connect.WithInterceptors(connect.UnaryInterceptorFunc(
		func(next connect.UnaryFunc) connect.UnaryFunc {
			return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
				if authorization != "" {
					r.Header().Set("Authorization", authorization)
				}
				return next(ctx, r)
			}
		}))
}

// Suite counts.
type Suite struct{ passed, failed int }

type failure struct{ text string }

// Run is one case. It fails by Fail or by a panic.
func (s *Suite) Run(name string, body func()) {
	defer func() {
		switch problem := recover().(type) {
		case nil:
			s.passed++
		case failure:
			s.failed++
			fmt.Printf("FAIL %s: %s\n", name, problem.text)
		default:
			s.failed++
			fmt.Printf("FAIL %s: panic: %v\n", name, problem)
		}
	}()
	body()
}

// Done tells the sum and ends the process.
func (s *Suite) Done() {
	fmt.Printf("%d passed, %d failed\n", s.passed, s.failed)
	if s.failed > 0 {
		os.Exit(1)
	}
	os.Exit(0)
}

// Fail ends the case.
func Fail(format string, arguments ...any) { panic(failure{fmt.Sprintf(format, arguments...)}) }

// That fails the case when it does not hold.
func That(holds bool, format string, arguments ...any) {
	if !holds {
		Fail(format, arguments...)
	}
}

// Equal compares what == compares.
func Equal[T comparable](what string, got, wanted T) {
	That(got == wanted, "%s is %v, not %v", what, got, wanted)
}

// Call makes one call that has to succeed.
func Call[Q, A any](call func(context.Context, *connect.Request[Q]) (*connect.Response[A], error),
	request *Q) *A {
	answer, err := call(context.Background(), connect.NewRequest(request))
	if err != nil {
		Fail("%v", err)
	}
	return answer.Msg
}

// Refused makes one call that has to fail, with this code and some message.
func Refused[Q, A any](code connect.Code,
	call func(context.Context, *connect.Request[Q]) (*connect.Response[A], error), request *Q) {
	_, err := call(context.Background(), connect.NewRequest(request))
	var told *connect.Error
	That(errors.As(err, &told), "no error of the protocol: %v", err)
	Equal("the code", told.Code(), code)
	That(connect.IsWireError(err), "%v was not on the wire", err)
	That(told.Message() != "", "an error without a message")
}
