// The echo server that ./dev bench sets beside Muster's, pinned.
module muster/bench

go 1.26.0

require (
	connectrpc.com/connect v1.21.0
	google.golang.org/protobuf v1.36.12
)
