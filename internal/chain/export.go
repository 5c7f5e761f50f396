package chain

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"edgelens"
)

// Reader reads stored chains; package ledger implements it.
type Reader interface {
	// Read calls begin with the chain of a device, and then entry with each of its links, in order, and the record and
	// result of one that is kept; nil for others.
	Read(ctx context.Context, device string, begin func(edgelens.Chain) error, entry func(edgelens.ChainEntry, *edgelens.Delivery) error) error
}

// Exporter exports chains. It is safe for use by many goroutines.
type Exporter struct {
	Reader Reader
	// Event returns the event of a record as JSON.
	Event  func(*edgelens.Delivery) (json.RawMessage, error)
	Signer Signer
	Now    func() time.Time
}

// Export writes the chain of a device, a line each. Errors: edgelens.ErrNotFound for a device without one, before anything
// is written, and those of the writer.
func (e Exporter) Export(ctx context.Context, device string, w io.Writer) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	var all edgelens.Chain
	err := e.Reader.Read(ctx, device, func(c edgelens.Chain) error {
		all = c
		if c.Checkpoint.Seq == 0 {
			return nil
		}
		return lines.Encode(Checkpoint(c))
	}, func(entry edgelens.ChainEntry, d *edgelens.Delivery) (err error) {
		line := Entry(device, entry)
		if d != nil {
			if line.Event, err = e.Event(d); err != nil {
				return err
			}
		}
		return lines.Encode(line)
	})
	if err != nil {
		return err
	}
	head := Head(all, e.Now())
	if head.Signature, err = Sign(head, e.Signer); err != nil {
		return err
	}
	return lines.Encode(head)
}
