package federation

import (
	"encoding/json"
	"time"
)

// The commands that a running node or coordinator answers.
const (
	CommandJoin     = "join"
	CommandLeave    = "leave"
	CommandStatus   = "status"
	CommandReceipts = "receipts"
	CommandInvite   = "invite"
	CommandRemove   = "remove"
	CommandRounds   = "rounds"
)

// The roles of what answers a command.
const (
	RoleNode        = "node"
	RoleCoordinator = "coordinator"
)

// StatusAnswer is the answer to CommandStatus. Its status has the form of the role: participant.Status or
// coordinator.Status.
type StatusAnswer struct {
	Role   string          `json:"role"`
	Status json.RawMessage `json:"status"`
}

// InviteRequest is that of CommandInvite, and Invited its answer.
type InviteRequest struct {
	Node   string        `json:"node"`
	Within time.Duration `json:"within"`
}

// Invited is a token that invites a node.
type Invited struct {
	Node    string    `json:"node"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// NodeRequest is that of CommandRemove.
type NodeRequest struct {
	Node string `json:"node"`
}

// RoundsRequest is that of CommandRounds: the newest so many.
type RoundsRequest struct {
	Limit int `json:"limit"`
}

// ReceiptsAnswer is the answer to CommandReceipts: the receipts, one a line, and the public keys that sign them, JWKs.
type ReceiptsAnswer struct {
	Receipts string            `json:"receipts"`
	Keys     []json.RawMessage `json:"keys"`
}
