package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/internal/board"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/testutil"
	"edgelens/learn/federation"
	"edgelens/learn/federation/coordinator"
	"edgelens/learn/federation/participant"
	"edgelens/learn/federation/receipts"
	"edgelens/learn/heads"
)

// coordinate runs a coordinator with a data folder until the end of the test, and returns its address.
func coordinate(t *testing.T, c *config.Config) string {
	t.Helper()
	settings := federation.DefaultSettings()
	settings.MinNodes, settings.Poll = 1, federation.Seconds(100*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	started, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Coordinate(ctx, c, "test", io.Discard, CoordinatorOptions{
			Listen: "127.0.0.1:0", Definition: federation.Definition{Head: "gate", Labels: []string{"closed", "open"}, Settings: settings},
			Started: func(address string) { started <- address },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the coordinator: %v", err)
		}
	})
	select {
	case address := <-started:
		return address
	case err := <-done:
		t.Fatalf("the coordinator: %v", err)
	}
	return ""
}

// ask runs a command and reads its answer.
func ask[A any](t *testing.T, f control.Federation, command string, request any) (answer A, err error) {
	t.Helper()
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	given, err := f.RunFederation(t.Context(), command, text)
	if err == nil {
		err = json.Unmarshal(given, &answer)
	}
	return answer, err
}

// noExamples are the datasets of a node without any.
type noExamples struct{}

func (noExamples) Dataset(context.Context, string) (edgelens.Dataset, error) {
	return edgelens.Dataset{}, edgelens.ErrNotFound
}

func (noExamples) Embeddings(context.Context, string) ([]edgelens.Example, error) { return nil, nil }

func TestFederationCommands(t *testing.T) {
	c := &config.Config{DataDir: testutil.ShortDir(t), Log: config.Default().Log}
	if err := UseFederation(t.Context(), c, nil); !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("without a service: %v", err)
	}
	address := coordinate(t, c)
	if err := Coordinate(t.Context(), c, "test", io.Discard, CoordinatorOptions{Listen: "127.0.0.1:0"}); !errors.Is(err, edgelens.ErrInUse) {
		t.Errorf("a second coordinator in the folder: %v", err)
	}
	folder := t.TempDir()
	signer, err := signing.Open(folder, signing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	party := signing.Party{Node: signer}
	opened, err := participant.Open(participant.Parts{
		Folder: filepath.Join(folder, federationFolder), Config: participant.DefaultConfig(), Keys: party, Datasets: noExamples{},
		Heads: federatedHeads{heads.Open(filepath.Join(folder, "heads"))}, Throttled: func(context.Context) string { return "" }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	node := &federationPart{opened, party}
	err = UseFederation(t.Context(), c, func(of control.Federation) error {
		invited, err := ask[federation.Invited](t, of, federation.CommandInvite, federation.InviteRequest{Node: "north", Within: time.Hour})
		if err != nil {
			return err
		}
		joined, err := ask[participant.Status](t, node, federation.CommandJoin, participant.JoinRequest{URL: address, Token: invited.Token, Dataset: "gate"})
		if err != nil || joined.Node != "north" {
			t.Errorf("joined as %+v, %v", joined, err)
		}
		if part := node.Part(); !part.Joined || part.Coordinator != address || part.Head != "gate" || part.Round != 0 {
			t.Errorf("the part is %+v", part)
		}
		status, err := ask[federation.StatusAnswer](t, of, federation.CommandStatus, struct{}{})
		if err != nil || status.Role != federation.RoleCoordinator || !strings.Contains(string(status.Status), "north") {
			t.Errorf("status: %s, %v", status.Status, err)
		}
		if rounds, err := ask[[]coordinator.RoundStatus](t, of, federation.CommandRounds, federation.RoundsRequest{Limit: 5}); err != nil || len(rounds) != 0 {
			t.Errorf("rounds: %v, %v", rounds, err)
		}
		kept, err := ask[federation.ReceiptsAnswer](t, of, federation.CommandReceipts, struct{}{})
		if err != nil {
			return err
		}
		if all, err := receipts.Verify([]byte(kept.Receipts), signing.Party{}, kept.Keys...); err != nil || len(all) != 2 {
			t.Errorf("%d receipts, %v", len(all), err)
		}
		if _, err := ask[struct{}](t, of, federation.CommandRemove, federation.NodeRequest{Node: "south"}); !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("a node that is no member is removed: %v", err)
		}
		if _, err := ask[struct{}](t, of, federation.CommandJoin, struct{}{}); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "coordinator") {
			t.Errorf("a coordinator joins: %v", err)
		}
		if _, err := ask[struct{}](t, node, federation.CommandInvite, struct{}{}); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "node") {
			t.Errorf("a node invites: %v", err)
		}
		if _, err := ask[struct{}](t, of, federation.CommandRemove, federation.NodeRequest{Node: "north"}); err != nil {
			t.Error(err)
		}
		_, err = ask[struct{}](t, node, federation.CommandLeave, struct{}{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestThrottleWatch(t *testing.T) {
	root := t.TempDir()
	core := filepath.Join(root, "sys/devices/system/cpu/cpu0/thermal_throttle")
	if err := os.MkdirAll(core, 0o755); err != nil {
		t.Fatal(err)
	}
	count := func(text string) {
		if err := os.WriteFile(filepath.Join(core, "core_throttle_count"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &throttleWatch{prober: board.Prober{Root: root, Command: func(context.Context, string, ...string) (string, error) { return "", os.ErrNotExist }}}
	for _, step := range []struct {
		count     string
		throttled bool
	}{{"3\n", false}, {"3\n", false}, {"4\n", true}, {"4\n", false}} {
		count(step.count)
		if reason := w.reason(t.Context()); (reason != "") != step.throttled {
			t.Errorf("at %q the reason is %q", step.count, reason)
		}
	}
}
