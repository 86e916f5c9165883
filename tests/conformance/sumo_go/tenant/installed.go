// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"net/http"
	"strconv"
)

// Token lets collectors in.
type Token struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	Text    string `json:"encodedTokenAndUrl"`
}

func pathOf(c Collector) string { return "/collectors/" + strconv.FormatInt(c.ID, 10) }

// Token makes an installation token that is named like the test.
func (t *Tenant) Token() Token {
	t.Helper()
	var made Token
	t.Call(http.StatusOK, http.MethodPost, "/tokens", map[string]any{"name": t.Name(),
		"description": "d", "status": "Active", "type": "CollectorRegistration"}, &made)
	return made
}

// Deactivate makes nobody register with it any more.
func (t *Tenant) Deactivate(token Token) {
	t.Helper()
	t.Call(http.StatusOK, http.MethodPut, "/tokens/"+token.ID, map[string]any{"name": token.Name,
		"description": "d", "status": "Inactive", "type": "CollectorRegistration",
		"version": token.Version}, nil)
}

// Revoke deletes a token.
func (t *Tenant) Revoke(token Token) {
	t.Helper()
	t.Call(http.StatusNoContent, http.MethodDelete, "/tokens/"+token.ID, nil, nil)
}

// Delete deletes a collector.
func (t *Tenant) Delete(c Collector) {
	t.Helper()
	t.Call(http.StatusOK, http.MethodDelete, pathOf(c), nil, nil)
}
