package federation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/internal/testutil"
	"edgelens/learn/federation"
	"edgelens/learn/federation/coordinator"
	"edgelens/learn/federation/participant"
	"edgelens/learn/federation/receipts"
)

// coordinatorProcess has this program be a coordinator, with that folder and at that address.
const coordinatorProcess = "EDGELENS_TEST_COORDINATOR"

func TestMain(m *testing.M) {
	if spec := os.Getenv(coordinatorProcess); spec != "" {
		folder, address, _ := strings.Cut(spec, "|")
		fmt.Fprintln(os.Stderr, coordinate(folder, address))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// coordinate runs a coordinator of what is in the folder, until it is killed.
func coordinate(folder, address string) error {
	node, err := signing.Open(folder, signing.DefaultConfig())
	if err != nil {
		return err
	}
	var c *coordinator.Coordinator
	for {
		c, err = coordinator.Open(coordinator.Parts{Folder: filepath.Join(folder, "federation"), Keys: signing.Party{Node: node}, Log: quiet()}, federation.Definition{})
		if err == nil {
			break
		}
		// A process that another test has just forked may hold the lock of this one until it executes its program.
		if !errors.Is(err, edgelens.ErrInUse) {
			return err
		}
		runtime.Gosched()
	}
	go c.Run(context.Background()) // until the process is killed
	server := &http.Server{Addr: address, Handler: c.Handler(), ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

// process is a coordinator that can be killed.
type process struct {
	t               *testing.T
	folder, address string
	cmd             *exec.Cmd
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), coordinatorProcess+"="+p.folder+"|"+p.address)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // SIGKILL
	_ = p.cmd.Wait()         // its error is that it was killed
}

// phase returns that of the round in progress by the state file, with the number of the round.
func (p *process) phase() (phase string, number int) {
	var state struct {
		Round *struct {
			Phase  string `json:"phase"`
			Number int    `json:"number"`
		} `json:"round"`
	}
	text, err := os.ReadFile(filepath.Join(p.folder, "federation", "federation.json"))
	if err != nil || json.Unmarshal(text, &state) != nil || state.Round == nil {
		return "", 0
	}
	return state.Round.Phase, state.Round.Number
}

// A coordinator that is killed by kill -9 in each phase, as a process, goes on with the round: no update counts twice, its receipts
// stay whole, and nothing is left of what it was writing.
func TestKilledCoordinator(t *testing.T) {
	t.Parallel()
	testutil.SkipIfShort(t, "starts processes")
	for name, phases := range map[string][]string{"plain": {"train", "canary", "gate"}, "secure": {"keys", "train"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := quickSettings()
			settings.Pause, settings.MinNodes, settings.MaxDrop, settings.Secure = federation.Seconds(50*time.Millisecond), 3, 1, name == "secure"
			s := newSite(t, settings)
			s.end() // the process takes its place
			p := &process{t: t, folder: s.folder, address: testutil.FreeAddress(t)}
			nodes := killedSite(t, s, p)
			defer func() { p.kill() }()
			s.run(nodes...)
			for _, phase := range phases {
				testutil.Eventually(t, "the phase "+phase, func() bool { now, _ := p.phase(); return now == phase })
				p.kill()
				p.start()
			}
			_, last := p.phase()
			live := nodes[0].Status().Live.Version
			testutil.Eventually(t, "later rounds are live", func() bool {
				_, now := p.phase()
				return now > last+1 && nodes[0].Status().Live.Version > live+1
			})
			for _, m := range nodes {
				m.stop()
			}
			p.kill()
			checkKilled(t, s)
		})
	}
}

// killedSite starts the process with three nodes that have joined it.
func killedSite(t *testing.T, s *site, p *process) (nodes []*member) {
	t.Helper()
	s.start(federation.Definition{})
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Minute}
	go server.Serve(listener) //nolint:errcheck // it is closed
	for _, name := range []string{"a", "b", "c"} {
		m := s.newNode(name)
		m.store.add(uint64(name[0]), 0, 20, false)
		m.store.add(uint64(name[0]), 1, 20, false)
		token, _, err := s.Invite(name, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Join(t.Context(), participant.JoinRequest{URL: "http://" + p.address, Token: token.String(), Dataset: "pictures"}); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, m)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	s.end()
	p.start()
	return nodes
}

// checkKilled checks what the killed processes have left.
func checkKilled(t *testing.T, s *site) {
	t.Helper()
	s.start(federation.Definition{})
	text, err := s.Receipts()
	if err != nil {
		t.Fatal(err)
	}
	public, err := newKeys(t, s.folder).PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	all, err := receipts.Verify(text, newKeys(t, s.folder), public)
	if err != nil {
		t.Error(err)
	}
	lost := 0
	for _, r := range all {
		if r.What == "receipts_lost" {
			lost++
		}
	}
	rounds := s.ended()
	for _, r := range rounds {
		for _, n := range r.Nodes {
			if n.State != "accepted" && r.Outcome == "live" {
				t.Errorf("round %d: the update of %s is %s %s", r.Number, n.Name, n.State, n.Reason)
			}
		}
	}
	for i, r := range rounds {
		if r.Number != i+1 {
			t.Errorf("round %d has the number %d", i+1, r.Number)
		}
	}
	leftovers, err := filepath.Glob(filepath.Join(s.folder, "federation", "*", ".new-*"))
	if err != nil || lost > 0 || len(leftovers) > 0 {
		t.Errorf("%d times, receipts were lost; files are left: %v, %v", lost, leftovers, err)
	}
}
