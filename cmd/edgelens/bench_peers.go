package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/report"
	"edgelens/benchmarks/suite"
	"edgelens/inference"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/models"
)

func newBenchPeers(environ []string) *cobra.Command {
	flags := &benchFlags{openConnections: 1}
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "Measure another service beside ours, by default the article's",
		Long: `Starts the service in the folder --peer and ours, sends both the same image by the same
closed loop of 8 connections, by turns, and prints how many times the throughput ours has:

  the same model with the same flags    at the image's size and at 512x384
  the same without XNNPACK
  as it was published                   the model --peer-model without a delegate

"make bench-peers" installs what the article's service needs first.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			return bench(cmd, c, flags, []string{suite.SuitePeers}, report.PeerTargets)
		},
	}
	flags.addCommon(cmd)
	flags.addPeer(cmd, filepath.Join("benchmarks", "peers", "flask"))
	config.AddFlags(cmd.Flags(), benchSettings...)
	return cmd
}

// The smaller of the two sizes at which services are compared.
const peerWidth, peerHeight = 512, 384

// peerTasks starts the services that are compared. All of them are there from
// the first round to the last: those that have no load wait for a request.
func (b *bencher) peerTasks(ctx context.Context) ([]suite.Task, error) {
	images, err := peerImages(b.images)
	if err != nil {
		return nil, err
	}
	registry, err := app.OpenModels(b.config)
	if err != nil {
		return nil, err
	}
	same, err := registry.Get(b.config.Model)
	if err != nil {
		return nil, err
	}
	published, err := registry.Get(b.flags.published)
	if err != nil {
		return nil, err
	}
	ours, err := b.contender(ctx, same, b.config.Inference.Delegate)
	if err != nil {
		return nil, err
	}
	others, err := b.others(ctx, images, ours, same, published)
	if err != nil {
		return nil, err
	}
	open := func() (suite.Pipeline, error) {
		opened, err := openBenchModel(same.Path, suite.ModelSetting{Delegate: b.config.Inference.Delegate, Threads: b.config.Inference.Threads})
		if err != nil {
			return nil, err
		}
		return newInvokePipeline(opened)
	}
	cores := b.config.Inference.InterpretersOrCores()
	tasks := []suite.Task{suite.InvokeAlone(same.Name, ours.Delegate, cores, open)}
	tasks = append(tasks, suite.PeerCeilings(images, same.Name, ours.Delegate, cores, func() (suite.Pipeline, error) { return openPipeline(b.config, same) })...)
	return append(tasks, suite.Peers(images, append([]*suite.Contender{ours}, others...), report.TargetConnections)...), nil
}

// others starts those beside ours: the other service with the same model and
// flags, the same as published, and both without a delegate where there is one.
// With either model it must see in images that were given what ours sees.
func (b *bencher) others(ctx context.Context, images []suite.Image, ours *suite.Contender, same, published models.Model) ([]*suite.Contender, error) {
	peer, err := b.peer(ctx, same, ours.Delegate, ours)
	if err != nil {
		return nil, err
	}
	asPublished, err := b.peer(ctx, published, inference.DelegateNone, ours)
	if err != nil {
		return nil, err
	}
	if len(b.flags.images) == 0 {
		b.run.Peer += "; answers were not compared: nothing is to be seen in made-up images"
	} else if err := errors.Join(suite.Agree(ctx, images, ours, peer), b.agreeAsPublished(ctx, images, asPublished, published)); err != nil {
		return nil, err
	}
	if ours.Delegate == inference.DelegateNone {
		return []*suite.Contender{peer, asPublished}, nil
	}
	plain, err := b.contender(ctx, same, inference.DelegateNone)
	if err != nil {
		return nil, err
	}
	plainPeer, err := b.peer(ctx, same, inference.DelegateNone, plain)
	return []*suite.Contender{peer, asPublished, plain, plainPeer}, err
}

// agreeAsPublished has ours run the published model for as long as it is asked.
func (b *bencher) agreeAsPublished(ctx context.Context, images []suite.Image, peer *suite.Contender, published models.Model) error {
	ours, err := b.contender(ctx, published, inference.DelegateNone)
	if err != nil {
		return err
	}
	last := len(b.ends) - 1
	end := b.ends[last]
	b.ends = b.ends[:last]
	return errors.Join(suite.Agree(ctx, images, ours, peer), end())
}

// invokePipeline is the model alone.
type invokePipeline struct {
	opened suite.Opened
	suite.Interpreter
}

func newInvokePipeline(opened suite.Opened) (suite.Pipeline, error) {
	interpreter, err := opened.NewInterpreter()
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return invokePipeline{opened, interpreter}, nil
}

// Run implements suite.Pipeline.
func (p invokePipeline) Run([]byte) ([]suite.Stage, error) { return nil, p.Invoke() }

// Close implements suite.Pipeline.
func (p invokePipeline) Close() error { return errors.Join(p.Interpreter.Close(), p.opened.Close()) }

// peerImages are one of 720 lines where there is one, and the same smaller.
func peerImages(images []suite.Image) ([]suite.Image, error) {
	i := max(0, slices.IndexFunc(images, func(p suite.Image) bool { return strings.Contains(p.Name, "720p") }))
	small, err := suite.Resized(images[i], peerWidth, peerHeight)
	return []suite.Image{images[i], small}, err
}

// contender starts a service of ours.
func (b *bencher) contender(ctx context.Context, model models.Model, delegate string) (*suite.Contender, error) {
	own, end, err := b.start(ctx, changedFlags(b.cmd, isSetting), "--mqtt-listen=", "--model="+model.Name, "--inference-delegate="+delegate)
	if err != nil {
		return nil, err
	}
	b.ends = append(b.ends, end)
	inUse, err := suite.DelegateInUse(ctx, own, model.Name) // it may have fallen back
	return &suite.Contender{Service: suite.Tree{Own: own}, Who: "edgelens", Model: model.Name, Delegate: inUse}, err
}

// peer starts another service, with the library that this program has loaded
// and as many workers as ours has interpreters.
func (b *bencher) peer(ctx context.Context, model models.Model, delegate string, beside *suite.Contender) (*suite.Contender, error) {
	who := filepath.Base(b.flags.peer)
	problem := func(err error) error { return fmt.Errorf("start %s: %w", who, err) }
	library, err := loadedLibrary("libtensorflowlite_c")
	if err != nil {
		return nil, problem(err)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, problem(err)
	}
	folder, err := os.MkdirTemp("", "edgelens-peer-")
	if err != nil {
		return nil, problem(err)
	}
	b.ends = append(b.ends, func() error { return os.RemoveAll(folder) })
	labels := filepath.Join(folder, "labels.txt")
	if err := os.WriteFile(labels, []byte(strings.Join(model.Labels, "\n")), 0o600); err != nil {
		return nil, problem(err)
	}
	file, err := filepath.Abs(model.Path)
	if err != nil {
		return nil, problem(err)
	}
	log := &lastWords{}
	own, madeOf, err := suite.StartPeer(ctx, suite.PeerSettings{
		Folder: b.flags.peer, Address: address, Model: file, Labels: labels, Library: library,
		Delegate: delegate, Threads: b.config.Inference.Threads, Workers: b.config.Inference.InterpretersOrCores(),
	}, log)
	if err != nil {
		return nil, problem(fmt.Errorf("%w\n%s", err, log))
	}
	b.ends = append(b.ends, own.Stop)
	if b.run.Peer == "" { // the others are of the same kind
		b.run.Peer = fmt.Sprintf("%s: %s", who, madeOf)
	}
	return &suite.Contender{Service: suite.Tree{Own: own}, Who: who, Model: model.Name, Delegate: delegate, Beside: beside}, nil
}

// loadedLibrary returns the file of a library that this process has mapped
// (proc_pid_maps(5)).
func loadedLibrary(name string) (string, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return "", err
	}
	for line := range bytes.Lines(maps) {
		if at := bytes.IndexByte(line, '/'); at >= 0 {
			file := strings.TrimSpace(string(line[at:]))
			if strings.HasPrefix(filepath.Base(file), name) {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("this program has not loaded %s", name)
}
