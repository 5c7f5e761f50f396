package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/learn/heads"
	headmodels "edgelens/learn/serving"
	"edgelens/models"
)

// modelsInterval is how often the models folder of a service is looked at. A change is taken up once the folder has stayed the same for one
// of them: a file that is being copied changes on.
const modelsInterval = 2 * time.Second

// modelFollower takes up what changes in the models folder: files, labels, manifest. It is safe for use by many goroutines.
type modelFollower struct {
	registry *models.Registry
	loader   *inference.Loader
	served   *headmodels.Models
	heads    *heads.Store
	// chosen is set where a setting has the default model, not the manifest.
	chosen bool
	log    *slog.Logger

	// applying is held while changes are taken up.
	applying sync.Mutex
	// seen is the folder as it was last, and applied as its changes were taken up.
	seen, applied string

	mu sync.Mutex
	// problems are why the present manifest, or its default, is not used.
	problems map[string]error
}

func newModelFollower(core *Core, chosen bool, log *slog.Logger) *modelFollower {
	f := &modelFollower{registry: core.Registry, loader: core.Loader, served: core.Models, heads: core.Heads, chosen: chosen, log: log, problems: map[string]error{}}
	f.seen = f.look()
	f.applied = f.seen
	return f
}

// run follows the folder until ctx ends, by a look in each interval.
func (f *modelFollower) run(ctx context.Context, interval time.Duration) {
	every := time.NewTicker(interval)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			f.follow(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// follow takes up changes that were there at the last look, too.
func (f *modelFollower) follow(ctx context.Context) {
	f.applying.Lock()
	defer f.applying.Unlock()
	now := f.look()
	settled := now == f.seen
	f.seen = now
	if settled && now != f.applied {
		f.apply(ctx, now)
	}
}

// takeUp takes up changes at once.
func (f *modelFollower) takeUp(ctx context.Context) {
	f.applying.Lock()
	defer f.applying.Unlock()
	f.apply(ctx, f.look())
}

func (f *modelFollower) apply(ctx context.Context, now string) {
	byManifest, err := f.registry.Refresh()
	f.note("manifest", err)
	if err == nil && !f.chosen {
		f.note("default model", f.changeDefault(ctx, byManifest))
	}
	err = f.loader.Refresh(ctx)
	if err == nil || errors.Is(err, edgelens.ErrModel) || errors.Is(err, edgelens.ErrNoModel) {
		f.applied = now
	} // else it is tried again
}

// choose makes the model of a setting the default; that of the manifest for "".
func (f *modelFollower) choose(ctx context.Context, name string) {
	f.applying.Lock()
	defer f.applying.Unlock()
	f.chosen = name != ""
	if f.chosen {
		f.note("default model", f.changeDefault(ctx, name))
	}
}

// changeDefault makes another model the default once it is loaded.
func (f *modelFollower) changeDefault(ctx context.Context, name string) error {
	former := f.registry.Default()
	if name == former {
		return nil
	}
	if _, err := f.served.Describe(ctx, name); err != nil {
		return fmt.Errorf("%s cannot be the default model, %s goes on: %w", name, former, err)
	}
	if err := setDefault(f.registry, f.heads, name); err != nil {
		return err
	}
	f.log.Info("default model changed", "event", "default_model_changed", "model", name, "former", former)
	return nil
}

// note notes why a part is not used, and logs it once.
func (f *modelFollower) note(part string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.problems[part]
	if err == nil {
		delete(f.problems, part)
		return
	}
	f.problems[part] = err
	if known == nil || known.Error() != err.Error() {
		f.log.Error("a change of the models folder is not used: the former state goes on", "event", "models_not_changed", "part", part, "error", err)
	}
}

// conditions returns what of the folder is not used.
func (f *modelFollower) conditions() (all []edgelens.Condition) {
	f.mu.Lock()
	for part, err := range f.problems {
		all = append(all, degraded(part, "its present state is not used, the former one goes on: "+err.Error()))
	}
	f.mu.Unlock()
	for name, err := range f.loader.Problems() {
		all = append(all, degraded("file of "+name, "its present state is not used, the former one goes on: "+err.Error()))
	}
	return all
}

// look returns the folder's files, with what changes when they do, as a digest.
func (f *modelFollower) look() string {
	entries, err := os.ReadDir(f.registry.Dir())
	if err != nil {
		return err.Error()
	}
	sum := sha256.New()
	for _, entry := range entries {
		names := []string{entry.Name()}
		if info, err := os.Stat(filepath.Join(f.registry.Dir(), entry.Name())); err == nil && info.IsDir() {
			for _, file := range models.FolderFiles() {
				names = append(names, filepath.Join(entry.Name(), file))
			}
		}
		for _, name := range names {
			f.addFile(sum, name)
		}
	}
	return string(sum.Sum(nil))
}

// addFile adds a file, by its name in the models folder, to a digest; nothing for a folder.
func (f *modelFollower) addFile(sum io.Writer, name string) {
	info, err := os.Stat(filepath.Join(f.registry.Dir(), name)) // of what a link leads to
	if err != nil || info.IsDir() {
		return
	}
	var inode uint64
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = stat.Ino
	}
	fmt.Fprintf(sum, "%q %d %d %d\n", name, info.Size(), info.ModTime().UnixNano(), inode) // never fails
}
