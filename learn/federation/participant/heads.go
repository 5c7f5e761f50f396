package participant

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/learn/federation"
	"edgelens/learn/head"
)

// headFile returns the name of the file of a head of the federation, whose digest must have been checked.
func (p *Participant) headFile(digest string) string {
	return filepath.Join(p.parts.Folder, headsFolder, strings.TrimPrefix(digest, "sha256:")+".json")
}

// head returns a head of the federation: the one that is kept, or else from the coordinator. It is the one with that digest,
// signed by the key of the coordinator, and of the federation's shape; another one is an edgelens.ErrInvalid.
func (p *Participant) head(ctx context.Context, to *client, s state, ref federation.Ref) (*head.Head, error) {
	hex, ok := strings.CutPrefix(ref.Digest, "sha256:")
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("%w: the coordinator names a head by %.80q, which is no digest", edgelens.ErrInvalid, ref.Digest)
	}
	if text, err := os.ReadFile(p.headFile(ref.Digest)); err == nil {
		if h, err := p.openHead(s, ref, text); err == nil {
			return h, nil
		} // a file that is damaged is fetched anew
	}
	values := int64(len(s.Definition.Labels)) * int64(s.Definition.Features+1)
	text, err := to.fetch(ctx, "/heads/"+hex, 1<<16+16*values+1000*int64(len(s.Definition.Labels)))
	if err != nil {
		return nil, fmt.Errorf("fetch head %d: %w", ref.Version, err)
	}
	h, err := p.openHead(s, ref, text)
	if err != nil {
		return nil, fmt.Errorf("fetch head %d: %w", ref.Version, err)
	}
	if err := atomicfile.Write(p.headFile(ref.Digest), text, 0o600); err != nil {
		return nil, fmt.Errorf("store a head: %w: %w", edgelens.ErrStorage, err)
	}
	return h, nil
}

// openHead verifies a head as the coordinator sends it.
func (p *Participant) openHead(s state, ref federation.Ref, text []byte) (*head.Head, error) {
	var signed federation.SignedHead
	if err := federation.Open(p.parts.Keys, s.Coordinator, federation.KindHead, text, &signed); err != nil {
		return nil, err
	}
	h, err := head.Unmarshal(signed.Head)
	if err != nil {
		return nil, err
	}
	digest, err := h.Digest()
	if err != nil {
		return nil, err
	}
	d := s.Definition
	view, err := d.View()
	if err != nil {
		return nil, err
	}
	switch {
	case digest != ref.Digest || signed.Ref != ref || h.Version != ref.Version:
		return nil, fmt.Errorf("%w: the head is another one than the coordinator named", edgelens.ErrInvalid)
	case h.Name != d.Head || !slices.Equal(h.Labels, d.Labels) || h.Extractor.Digest != d.Extractor.Digest || h.Params.Features != d.Features || h.View != view:
		return nil, fmt.Errorf("%w: the head is of another task than the federation's", edgelens.ErrInvalid)
	}
	return h, nil
}

// follow installs the head that the federation has live, unless this node has gone back from it.
func (p *Participant) follow(ctx context.Context, to *client, live federation.Ref, read examples) error {
	s := p.snapshot()
	if live.Version == 0 || live == s.Live {
		return nil
	}
	h, err := p.head(ctx, to, s, live)
	if err != nil {
		return err
	}
	back := live == s.Before
	installed := *h
	installed.Name = s.Head
	if read.extractor.Digest == h.Extractor.Digest {
		installed.Extractor = read.extractor // it may have another name here
	}
	version, err := p.parts.Heads.Install(ctx, &installed)
	if err != nil {
		return err
	}
	err = p.change(func(s *state) {
		switch {
		case back:
			s.Before = federation.Ref{} // the one that was taken back is nothing to compare with
		case !s.RolledBack:
			s.Before = s.Live
		}
		s.Live, s.Version, s.RolledBack = live, version, false
	})
	if err != nil {
		return err
	}
	p.metrics.version.Set(float64(live.Version))
	p.parts.Log.Info("head of the federation installed", "event", "federation_head", "head", s.Head, "version", version, "round", live.Version-1)
	p.receipt("installed", live.Version-1, map[string]any{"head": live, "version": version})
	return nil
}

// pruneHeads removes the heads that are not in use but those of a task. Those that remain by an error are removed the next
// time.
func (p *Participant) pruneHeads(task federation.Task) {
	s := p.snapshot()
	used := []string{p.headFile(s.Live.Digest), p.headFile(s.Before.Digest), p.headFile(task.Base.Digest), p.headFile(task.Candidate.Digest)}
	files, _ := filepath.Glob(filepath.Join(p.parts.Folder, headsFolder, "*.json"))
	for _, file := range files {
		if !slices.Contains(used, file) {
			_ = os.Remove(file)
		}
	}
}

// kept returns a head that is kept; nil where it is not.
func (p *Participant) kept(s state, ref federation.Ref) (*head.Head, error) {
	if ref.Version == 0 {
		return nil, nil
	}
	text, err := os.ReadFile(p.headFile(ref.Digest))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a head: %w: %w", edgelens.ErrStorage, err)
	}
	h, err := p.openHead(s, ref, text)
	if err != nil {
		return nil, nil // damaged: there is nothing to compare with
	}
	return h, nil
}
