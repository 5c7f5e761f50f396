package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edgelens/benchmarks/report"
	"edgelens/benchmarks/suite"
	"edgelens/inference"
	"edgelens/internal/app"
	"edgelens/models"
)

// The smaller of the two sizes at which services are compared.
const peerWidth, peerHeight = 512, 384

// peerTasks starts the services to be compared. All of them run from the first round to the last: those without load
// are idle.
func (r *run) peerTasks(ctx context.Context) ([]suite.Task, error) {
	images, err := peerImages(r.images)
	if err != nil {
		return nil, err
	}
	registry, err := app.OpenModels(r.config.Settings)
	if err != nil {
		return nil, err
	}
	same, err := registry.Get(r.config.Settings.Model)
	if err != nil {
		return nil, err
	}
	published, err := registry.Get(r.config.Published)
	if err != nil {
		return nil, err
	}
	ours, err := r.contender(ctx, same, r.config.Settings.Inference.Delegate)
	if err != nil {
		return nil, err
	}
	others, err := r.others(ctx, images, ours, same, published)
	if err != nil {
		return nil, err
	}
	cores, pipeline := r.config.Settings.Inference.InterpretersOrCores(), r.pipeline(same)
	tasks := []suite.Task{suite.InvokeAlone(same.Name, ours.Delegate, cores, pipeline)}
	tasks = append(tasks, suite.PeerCeilings(images, same.Name, ours.Delegate, cores, pipeline)...)
	return append(tasks, suite.Peers(images, append([]*suite.Contender{ours}, others...), report.TargetConnections)...), nil
}

// others starts the compared services: the other service with the same model and flags, the same as published, and both
// without a delegate where there is one. With either model its top class in given images must be that of edgelens.
func (r *run) others(ctx context.Context, images []suite.Image, ours *suite.Contender, same, published models.Model) ([]*suite.Contender, error) {
	peer, err := r.peer(ctx, same, ours.Delegate, ours)
	if err != nil {
		return nil, err
	}
	asPublished, err := r.peer(ctx, published, inference.DelegateNone, ours)
	if err != nil {
		return nil, err
	}
	if len(r.config.Images) == 0 {
		r.record.Peer += "; answers were not compared: generated images show nothing"
	} else if err := errors.Join(suite.Agree(ctx, images, ours, peer), r.agreeAsPublished(ctx, images, asPublished, published)); err != nil {
		return nil, err
	}
	if ours.Delegate == inference.DelegateNone {
		return []*suite.Contender{peer, asPublished}, nil
	}
	plain, err := r.contender(ctx, same, inference.DelegateNone)
	if err != nil {
		return nil, err
	}
	plainPeer, err := r.peer(ctx, same, inference.DelegateNone, plain)
	return []*suite.Contender{peer, asPublished, plain, plainPeer}, err
}

// agreeAsPublished runs edgelens with the published model for the comparison of answers.
func (r *run) agreeAsPublished(ctx context.Context, images []suite.Image, peer *suite.Contender, published models.Model) error {
	ours, err := r.contender(ctx, published, inference.DelegateNone)
	if err != nil {
		return err
	}
	last := len(r.ends) - 1
	end := r.ends[last]
	r.ends = r.ends[:last]
	return errors.Join(suite.Agree(ctx, images, ours, peer), end())
}

// peerImages are one of 720 lines where there is one, and a smaller copy.
func peerImages(images []suite.Image) ([]suite.Image, error) {
	i := max(0, slices.IndexFunc(images, func(p suite.Image) bool { return strings.Contains(p.Name, "720p") }))
	small, err := suite.Resized(images[i], peerWidth, peerHeight)
	return []suite.Image{images[i], small}, err
}

// contender starts an edgelens service.
func (r *run) contender(ctx context.Context, model models.Model, delegate string) (*suite.Contender, error) {
	own, end, err := r.config.Service.start(ctx, "--mqtt-listen=", "--model="+model.Name, "--inference-delegate="+delegate)
	if err != nil {
		return nil, err
	}
	r.ends = append(r.ends, end)
	inUse, err := suite.DelegateInUse(ctx, own, model.Name) // it may have fallen back
	return &suite.Contender{Service: suite.Tree{Own: own}, Who: "edgelens", Model: model.Name, Delegate: inUse}, err
}

// peer starts another service, with the library that this program has loaded and as many workers as edgelens has
// interpreters.
func (r *run) peer(ctx context.Context, model models.Model, delegate string, beside *suite.Contender) (*suite.Contender, error) {
	who := filepath.Base(r.config.Peer)
	wrap := func(err error) error { return fmt.Errorf("start %s: %w", who, err) }
	library, err := loadedLibrary("libtensorflowlite_c")
	if err != nil {
		return nil, wrap(err)
	}
	address, err := suite.FreeAddress()
	if err != nil {
		return nil, wrap(err)
	}
	folder, err := os.MkdirTemp("", "edgelens-peer-")
	if err != nil {
		return nil, wrap(err)
	}
	r.ends = append(r.ends, func() error { return os.RemoveAll(folder) })
	labels := filepath.Join(folder, "labels.txt")
	if err := os.WriteFile(labels, []byte(strings.Join(model.Labels, "\n")), 0o600); err != nil {
		return nil, wrap(err)
	}
	file, err := filepath.Abs(model.Path)
	if err != nil {
		return nil, wrap(err)
	}
	log := &suite.LogTail{}
	own, madeOf, err := suite.StartPeer(ctx, suite.PeerSettings{
		Folder: r.config.Peer, Address: address, Model: file, Labels: labels, Library: library,
		Delegate: delegate, Threads: r.config.Settings.Inference.Threads, Workers: r.config.Settings.Inference.InterpretersOrCores(),
	}, log)
	if err != nil {
		return nil, wrap(fmt.Errorf("%w\n%s", err, log))
	}
	r.ends = append(r.ends, own.Stop)
	if r.record.Peer == "" { // the others are of the same kind
		r.record.Peer = fmt.Sprintf("%s: %s", who, madeOf)
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
