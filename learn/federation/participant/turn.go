package participant

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"edgelens"
	"edgelens/learn/federation"
)

type jsonText = json.RawMessage

// turn polls the coordinator once and does what it asks for, and returns when to do so again.
func (p *Participant) turn(ctx context.Context) (time.Duration, error) {
	s := p.snapshot()
	if s.URL == "" {
		return idleWait, nil
	}
	to, err := newClient(s.URL, s.CA)
	if err != nil {
		return 0, err
	}
	defer to.close()
	read, err := p.readExamples(ctx, s)
	if err != nil {
		return 0, err
	}
	answer, err := p.poll(ctx, to, s, read)
	if err != nil {
		return 0, err
	}
	if err := p.accept(s, answer); err != nil {
		return 0, err
	}
	s = p.snapshot()
	if s.URL == "" {
		return idleWait, nil // it left meanwhile
	}
	if err := p.follow(ctx, to, answer.Live, read); err != nil {
		return 0, fmt.Errorf("install head %d of the federation: %w", answer.Live.Version, err)
	}
	if answer.Task != nil {
		defer p.doing("")
		if err := p.do(ctx, to, *answer.Task, read); err != nil {
			return 0, fmt.Errorf("take part in round %d: %w", answer.Task.Round, err)
		}
		p.pruneHeads(*answer.Task)
	}
	return time.Duration(answer.Wait), nil
}

// doing notes what the node does, for its status.
func (p *Participant) doing(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.doing = what
}

// poll announces this node and returns the answer.
func (p *Participant) poll(ctx context.Context, to *client, s state, read examples) (answer federation.Answer, err error) {
	announced := federation.Poll{
		Node: s.Node, Examples: read.counts, HeldOut: read.heldOut.Len(), Features: read.features, Unready: p.unready(ctx, s, read), Live: s.Live.Digest,
	}
	if read.features > 0 {
		announced.Extractor, announced.Fit, announced.Region = federation.Model(read.extractor), string(read.view.Fit), read.view.Region.String()
	}
	if announced.Standing, err = p.standing(ctx, s, read); err != nil {
		return answer, err
	}
	if announced.Seq, err = p.nextSeq(); err != nil {
		return answer, err
	}
	message, err := federation.Seal(p.parts.Keys, federation.KindPoll, announced)
	if err != nil {
		return answer, err
	}
	text, err := to.send(ctx, "/poll", message)
	if err != nil {
		return answer, err
	}
	err = federation.Open(p.parts.Keys, s.Coordinator, federation.KindAnswer, text, &answer)
	if federation.IsSignatureError(err) {
		return answer, fmt.Errorf("read the coordinator's answer: %w; it is not by the key of the coordinator that this node joined: if that was rotated, `edgelens federation leave` and join anew", err)
	}
	if err != nil {
		return answer, fmt.Errorf("read the coordinator's answer: %w", err)
	}
	if answer.Node != s.Node || answer.Seq != announced.Seq {
		return answer, fmt.Errorf("%w: the coordinator's answer is to another message", edgelens.ErrInvalid)
	}
	return answer, nil
}

// unready returns why this node does not take part now, and notes it; empty where it does.
func (p *Participant) unready(ctx context.Context, s state, read examples) string {
	why := ""
	if throttled := p.parts.Throttled(ctx); throttled != "" {
		why = throttled
	} else if err := read.fits(s.Definition); err != nil {
		why = err.Error()
	} else if p.overBudget(s) {
		why = fmt.Sprintf("another round would have its epsilon above federation.max_epsilon, %v", p.parts.Config.MaxEpsilon)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.unready = why
	return cut(why, 300)
}

// cut shortens a text to at most that many bytes, at the end of a character.
func cut(text string, most int) string {
	for len(text) > most {
		runes := []rune(text)
		text = string(runes[:len(runes)-1])
	}
	return text
}

// accept notes that the coordinator has answered, and its definition. It may change how it learns, but not what.
func (p *Participant) accept(s state, answer federation.Answer) error {
	if err := answer.Definition.Validate(); err != nil {
		return fmt.Errorf("read the coordinator's answer: %w", err)
	}
	if err := s.Definition.SameTask(answer.Definition); err != nil {
		return fmt.Errorf("the coordinator has another task than when this node joined: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.contact, p.now.problem = p.parts.Now(), ""
	p.metrics.polls.WithLabelValues("answered").Inc()
	if p.state.URL != s.URL || p.state.Node != s.Node || reflect.DeepEqual(p.state.Definition, answer.Definition) {
		return nil
	}
	return p.changeLocked(func(s *state) { s.Definition = answer.Definition })
}

// do does a task.
func (p *Participant) do(ctx context.Context, to *client, task federation.Task, read examples) error {
	ctx, cancel := context.WithTimeout(ctx, max(time.Second, time.Duration(task.Left)))
	defer cancel()
	if len(task.Ticket) != 32 {
		return fmt.Errorf("%w: the task has no ticket", edgelens.ErrInvalid)
	}
	switch task.Kind {
	case federation.TaskKey:
		return p.sendMaskKey(ctx, to, task)
	case federation.TaskTrain:
		return p.train(ctx, to, task, read)
	case federation.TaskScore:
		return p.score(ctx, to, task, read)
	}
	return fmt.Errorf("%w: the coordinator asks for %.40q, which this version does not know; install a newer one", edgelens.ErrInvalid, task.Kind)
}
