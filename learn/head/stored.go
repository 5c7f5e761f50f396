package head

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"edgelens"
	"edgelens/learn/softmax"
)

// maxBytes bounds the stored form.
const maxBytes = 64 << 20

// stored is the form of a Head in files and messages. Renaming a Go field changes nothing in it.
type stored struct {
	Name      string        `json:"name"`
	Version   int           `json:"version"`
	Extractor storedModel   `json:"extractor"`
	Fit       string        `json:"fit,omitempty"`
	Region    *storedRegion `json:"region,omitempty"`
	Labels    []string      `json:"labels"`
	Features  int           `json:"features"`
	// Values are those of softmax.Params as float64 numbers, little-endian, in base64.
	Values    []byte    `json:"values"`
	Scale     float64   `json:"scale"`
	Threshold float64   `json:"threshold"`
	Method    string    `json:"method"`
	Examples  int       `json:"examples"`
	CreatedAt time.Time `json:"created_at"`
}

type storedModel struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

type storedRegion struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// Marshal returns the stored form, JSON. The error wraps edgelens.ErrInvalid for a head that Check refuses.
func (h *Head) Marshal() ([]byte, error) {
	if err := h.Check(); err != nil {
		return nil, err
	}
	s := stored{
		Name: h.Name, Version: h.Version, Extractor: storedModel(h.Extractor), Fit: string(h.View.Fit), Labels: h.Labels, Features: h.Params.Features,
		Values: make([]byte, 0, 8*len(h.Params.Values)), Scale: h.Scale, Threshold: h.Threshold, Method: h.Method, Examples: h.Examples, CreatedAt: h.CreatedAt.UTC(),
	}
	if h.View.Region != (edgelens.Region{}) {
		region := storedRegion(h.View.Region)
		s.Region = &region
	}
	for _, v := range h.Params.Values {
		s.Values = binary.LittleEndian.AppendUint64(s.Values, math.Float64bits(v))
	}
	return json.Marshal(s)
}

// Unmarshal reads the stored form. The error wraps edgelens.ErrInvalid.
func Unmarshal(data []byte) (*Head, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%w: a head of %d bytes is too large", edgelens.ErrInvalid, len(data))
	}
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%w: this is no head: %w", edgelens.ErrInvalid, err)
	}
	if len(s.Values)%8 != 0 {
		return nil, fmt.Errorf("%w: the values of the head are cut off", edgelens.ErrInvalid)
	}
	h := &Head{
		Name: s.Name, Version: s.Version, Extractor: edgelens.ModelRef(s.Extractor), View: edgelens.View{Fit: edgelens.Fit(s.Fit)}, Labels: s.Labels,
		Params: softmax.Params{Classes: len(s.Labels), Features: s.Features, Values: make([]float64, len(s.Values)/8)},
		Scale:  s.Scale, Threshold: s.Threshold, Method: s.Method, Examples: s.Examples, CreatedAt: s.CreatedAt,
	}
	if s.Region != nil {
		h.View.Region = edgelens.Region(*s.Region)
	}
	for i := range h.Params.Values {
		h.Params.Values[i] = math.Float64frombits(binary.LittleEndian.Uint64(s.Values[8*i:]))
	}
	return h, h.Check()
}

// Digest returns "sha256:" and the hex digest of the stored form, which identifies the version like a model's file.
func (h *Head) Digest() (string, error) {
	data, err := h.Marshal()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
