package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"edgelens/benchmarks/suite"
	"edgelens/internal/ledger"
)

// The time that the items are spread over, and how many terminals they are of.
const (
	span    = 90 * 24 * time.Hour
	devices = 50
)

// filledName is the file of a data folder that was filled to the end.
const filledName = "filled.json"

// filled is the content of that file.
type filled struct {
	// Until is the time of the newest item.
	Until time.Time `json:"until"`
	// Bytes is the size of the ledger.
	Bytes int64 `json:"bytes"`
}

// target is a service on a filled data folder.
type target struct {
	config Config
	items  int
	data   string
	filled filled
	// service is nil while it does not run.
	service *suite.Own
	// broker is the address of its MQTT broker.
	broker string
	// ready and cold are of the starts since they were last taken: s until it was ready, and ms of the first list.
	ready, cold []float64
}

// prepare returns the target of a size, and fills its data folder where no earlier run did.
func (c Config) prepare(ctx context.Context, dir string, size int, log io.Writer) (*target, error) {
	t := &target{config: c, items: size, data: filepath.Join(dir, fmt.Sprint(size))}
	path := filepath.Join(t.data, filledName)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		return t, json.Unmarshal(text, &t.filled)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.RemoveAll(t.data); err != nil { // a part of an interrupted run
		return nil, err
	}
	t.filled.Until = time.Now()
	if err := t.fill(ctx, log); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(t.filled); err != nil {
		return nil, err
	}
	return t, os.WriteFile(path, text, 0o600)
}

func (t *target) fill(ctx context.Context, log io.Writer) error {
	bar := progressbar.NewOptions(t.items, progressbar.OptionSetWriter(log), progressbar.OptionSetDescription(fmt.Sprintf("filling with %d items", t.items)),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish())
	bytes, err := ledger.Fill(ctx, t.data, ledger.Filling{
		Items: t.items, Until: t.filled.Until, Span: span, Devices: devices, Seed: t.config.Seed, Spoil: t.config.Spoil,
		Progress: func(n int) { _ = bar.Set(n) }, // progress only
	})
	t.filled.Bytes = bytes
	return errors.Join(err, bar.Finish())
}

// start starts a service that keeps all of the history.
func (t *target) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if t.broker, err = suite.FreeAddress(); err != nil {
		return err
	}
	log := &suite.LogTail{}
	t.service, err = suite.Start(ctx, program, []string{"serve", "--listen=127.0.0.1:0", "--data-dir=" + t.data, "--models-dir=" + t.config.ModelsDir,
		"--redis-url=", "--mqtt-url=", "--mqtt-listen=" + t.broker, "--webhook-url=",
		"--log-format=json", "--log-level=info", "--ledger-max-age=4800h", "--ledger-max-bytes=17179869184",
		"--recognize-allow-stand-in=true"}, log)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, log)
	}
	return nil
}

// stop ends the service, where it runs.
func (t *target) stop() error {
	if t.service == nil {
		return nil
	}
	service := t.service
	t.service = nil
	return service.Stop()
}

// tryModel starts the service and ends it: its first start may try the model.
func (t *target) tryModel(ctx context.Context) error {
	if err := t.start(ctx); err != nil {
		return err
	}
	return t.stop()
}

// restart starts the service with nothing of its data folder in memory, and lists the oldest results.
func (t *target) restart(ctx context.Context) error {
	if err := t.stop(); err != nil {
		return err
	}
	if err := forget(t.data); err != nil {
		return err
	}
	if err := t.start(ctx); err != nil {
		return err
	}
	begun := time.Now()
	if _, err := t.get(ctx, t.oldest()); err != nil {
		return err
	}
	t.ready, t.cold = append(t.ready, t.service.Ready.Seconds()), append(t.cold, milliseconds(time.Since(begun)))
	return nil
}
