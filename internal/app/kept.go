package app

import (
	"context"
	"io"
	"log/slog"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/ledger"
)

// keptMeter measures what a ledger keeps, with the bounds of other packages.
type keptMeter struct {
	ledger *ledger.Ledger
	config *config.Config
}

// Kept implements control.KeptMeter.
func (m keptMeter) Kept(ctx context.Context) (edgelens.Kept, error) {
	kept, err := m.ledger.Kept(ctx)
	for i := range kept.Kinds {
		if kept.Kinds[i].Kind == edgelens.KeptVectors {
			kept.Kinds[i].MaxRows = int64(m.config.Similarity.MaxVectors)
		}
	}
	return kept, err
}

// UseKept calls do with what measures the ledger of the data folder, as UseKeys does.
func UseKept(ctx context.Context, c *config.Config, logs io.Writer, do func(control.KeptMeter) error) error {
	return useDataFolder(ctx, c, logs,
		func(client *control.Client) error { return do(client) },
		func(l *ledger.Ledger, _ *slog.Logger) error { return do(keptMeter{l, c}) })
}
