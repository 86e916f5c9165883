// The vendor's own clients, pinned; ./dev conformance drives them. Two programs, since both of the
// vendor's modules register files of the same name.
module muster/conformance/fleet

go 1.26.0

require (
	connectrpc.com/connect v1.18.1
	github.com/grafana/alloy-remote-config v0.0.12
	github.com/grafana/fleet-management-api v1.2.0
	google.golang.org/protobuf v1.34.2
)
