package tflitefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"edgelens/models/tflitefile/schema"
)

// MaxBytes is the limit of FlatBuffers: their offsets are signed 32-bit numbers.
const MaxBytes = math.MaxInt32

// maxTables is far above any edge model: MobileNetV2 has about 900.
const maxTables = 100_000

var errOutside = errors.New("points past its end")

// layout describes the fields of a table by their slot.
type layout []field

// field is a number of size bytes, or an offset to one of the others. The zero
// value is a field that is not read here.
type field struct {
	size    int     // of a number
	vector  int     // of numbers of so many bytes
	table   *layout // a table
	tables  *layout // a vector of tables
	options bool    // the table whose type the union's member before it gives
}

// A string is a vector of bytes; a zero follows it that Go does not need.
var (
	none, byte1, int4        = field{}, field{size: 1}, field{size: 4}
	bytes1, vector4, vector8 = field{vector: 1}, field{vector: 4}, field{vector: 8}
)

// The tables of schema.fbs.
var (
	quantizationLayout = layout{vector4, vector4, vector4, vector8, byte1, none, int4}
	tensorLayout       = layout{vector4, byte1, int4, bytes1, {table: &quantizationLayout}, byte1, none, vector4}
	operatorCodeLayout = layout{byte1, bytes1, int4, int4}
	operatorLayout     = layout{int4, vector4, vector4, byte1, {options: true}, bytes1, byte1, bytes1, vector4}
	subgraphLayout     = layout{{tables: &tensorLayout}, vector4, vector4, {tables: &operatorLayout}, bytes1}
	bufferLayout       = layout{bytes1}
	metadataLayout     = layout{bytes1, int4}
	tensorMapLayout    = layout{bytes1, int4}
	signatureLayout    = layout{{tables: &tensorMapLayout}, {tables: &tensorMapLayout}, bytes1, none, int4}
	modelLayout        = layout{int4, {tables: &operatorCodeLayout}, {tables: &subgraphLayout}, bytes1, {tables: &bufferLayout}, vector4, {tables: &metadataLayout}, {tables: &signatureLayout}}
)

const optionsTypeSlot = 3 // of an operator

// optionsLayouts lists those that are read.
var optionsLayouts = map[schema.BuiltinOptions]layout{
	schema.BuiltinOptionsConv2DOptions:                {byte1, int4, int4, byte1, int4, int4},
	schema.BuiltinOptionsDepthwiseConv2DOptions:       {byte1, int4, int4, int4, byte1, int4, int4},
	schema.BuiltinOptionsPool2DOptions:                {byte1, int4, int4, int4, int4, byte1},
	schema.BuiltinOptionsFullyConnectedOptions:        {byte1, byte1, byte1, byte1},
	schema.BuiltinOptionsSoftmaxOptions:               {int4},
	schema.BuiltinOptionsConcatenationOptions:         {int4, byte1},
	schema.BuiltinOptionsAddOptions:                   {byte1, byte1},
	schema.BuiltinOptionsMulOptions:                   {byte1},
	schema.BuiltinOptionsSubOptions:                   {byte1, byte1},
	schema.BuiltinOptionsDivOptions:                   {byte1},
	schema.BuiltinOptionsL2NormOptions:                {byte1},
	schema.BuiltinOptionsResizeBilinearOptions:        {none, none, byte1, byte1},
	schema.BuiltinOptionsResizeNearestNeighborOptions: {byte1, byte1},
	schema.BuiltinOptionsReshapeOptions:               {vector4},
	schema.BuiltinOptionsSqueezeOptions:               {vector4},
	schema.BuiltinOptionsGatherOptions:                {int4, int4},
	schema.BuiltinOptionsReducerOptions:               {byte1},
	schema.BuiltinOptionsStridedSliceOptions:          {int4, int4, int4, int4, int4},
	schema.BuiltinOptionsSplitOptions:                 {int4},
	schema.BuiltinOptionsCastOptions:                  {byte1, byte1},
	schema.BuiltinOptionsArgMaxOptions:                {byte1},
	schema.BuiltinOptionsShapeOptions:                 {byte1},
	schema.BuiltinOptionsPackOptions:                  {int4, int4},
	schema.BuiltinOptionsTransposeConvOptions:         {byte1, int4, int4},
	schema.BuiltinOptionsLeakyReluOptions:             {int4},
}

// flatBuffer traverses a file and checks that all data that the generated
// accessors will read lies inside it. It keeps the first error; after one,
// all reads return 0.
type flatBuffer struct {
	data   []byte
	tables int
	// left is how many bytes of tables and vectors may still be visited. They
	// may be shared, but not so that a small file describes a huge model.
	left int64
	err  error
}

// checkStructure returns an error if data is not a complete model in FlatBuffer
// format. Its time is linear in the length of data.
func checkStructure(data []byte) error {
	b := flatBuffer{data: data, left: 4*int64(len(data)) + 1<<16}
	b.table(b.uint32(0), modelLayout)
	return b.err
}

// table checks the table at a position
// (https://flatbuffers.dev/internals/: tables start with the signed distance
// back to their vtable, which has its own size, the table's, and the position
// of each field in the table).
func (b *flatBuffer) table(at int64, fields layout) {
	if b.tables++; b.tables > maxTables {
		b.fail(fmt.Errorf("has more than %d tables", maxTables))
	}
	vtable := at - int64(int32(b.uint32(at)))
	entries, size := b.uint16(vtable), b.uint16(vtable+2)
	b.inside(vtable, entries)
	b.visit(at, size)
	if b.err == nil && (entries < 4 || entries%2 != 0 || size < 4) {
		b.fail(errors.New("has a damaged table"))
	}
	optionsType := byte(0)
	for i, f := range fields {
		if b.err != nil {
			return
		}
		entry := int64(4 + 2*i)
		if entry+2 > entries {
			return // fields at the end may be left out
		}
		offset := b.uint16(vtable + entry)
		if offset == 0 || f == (field{}) {
			continue
		}
		need := int64(f.size)
		if f.size == 0 {
			need = 4
		}
		if offset < 4 || offset+need > size {
			b.fail(errors.New("has a field outside its table"))
			return
		}
		if i == optionsTypeSlot && f == byte1 {
			optionsType = b.data[at+offset]
		}
		b.field(at+offset, f, optionsType)
	}
}

func (b *flatBuffer) field(at int64, f field, optionsType byte) {
	if f.size != 0 {
		return
	}
	at += b.uint32(at)
	switch {
	case f.vector != 0:
		b.visit(at, 4+int64(f.vector)*b.uint32(at))
	case f.table != nil:
		b.table(at, *f.table)
	case f.options:
		// Only the table of unknown options is checked.
		b.table(at, optionsLayouts[schema.BuiltinOptions(optionsType)])
	case f.tables != nil:
		count := b.uint32(at)
		b.visit(at, 4+4*count)
		for i := range count {
			if b.err != nil {
				return
			}
			entry := at + 4 + 4*i
			b.table(entry+b.uint32(entry), *f.tables)
		}
	}
}

func (b *flatBuffer) uint16(at int64) int64 {
	if b.inside(at, 2); b.err != nil {
		return 0
	}
	return int64(binary.LittleEndian.Uint16(b.data[at:]))
}

func (b *flatBuffer) uint32(at int64) int64 {
	if b.inside(at, 4); b.err != nil {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(b.data[at:]))
}

func (b *flatBuffer) inside(at, n int64) {
	if at < 0 || n > int64(len(b.data))-at {
		b.fail(errOutside)
	}
}

// visit is inside for data that counts towards the size of the model.
func (b *flatBuffer) visit(at, n int64) {
	b.inside(at, n)
	if b.left -= n; b.left < 0 {
		b.fail(errors.New("uses the same bytes again and again"))
	}
}

func (b *flatBuffer) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}
