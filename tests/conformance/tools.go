// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package conformance pins the suites; nothing here is compiled into Muster.
package conformance

import (
	_ "connectrpc.com/conformance/cmd/connectconformance"
	_ "github.com/summerwind/h2spec/cmd/h2spec"
)
