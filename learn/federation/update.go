package federation

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"edgelens/learn/softmax"
)

// UpdateBytes returns how many bytes an update has: float32 numbers, or, masked, uint64 numbers with two more.
func UpdateBytes(classes, features int, masked bool) int64 {
	values := int64(classes) * int64(features+1)
	if masked {
		return 8 * (values + 2)
	}
	return 4 * values
}

// EncodeUpdate returns the difference of parameters as float32 numbers, little-endian, in the order of softmax.Params.
func EncodeUpdate(difference softmax.Params) []byte {
	data := make([]byte, 0, 4*len(difference.Values))
	for _, v := range difference.Values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
	}
	return data
}

// DecodeUpdate reads what EncodeUpdate returned. Its error is a Refusal. That values are finite is not checked.
func DecodeUpdate(data []byte, classes, features int) (softmax.Params, error) {
	if int64(len(data)) != UpdateBytes(classes, features, false) {
		return softmax.Params{}, errShape(len(data), classes, features)
	}
	p := softmax.New(classes, features)
	for i := range p.Values {
		p.Values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
	}
	return p, nil
}

// EncodeShare returns a masked share of package masking as uint64 numbers, little-endian.
func EncodeShare(share []uint64) []byte {
	data := make([]byte, 0, 8*len(share))
	for _, v := range share {
		data = binary.LittleEndian.AppendUint64(data, v)
	}
	return data
}

// DecodeShare reads what EncodeShare returned. Its error is a Refusal.
func DecodeShare(data []byte, classes, features int) ([]uint64, error) {
	if int64(len(data)) != UpdateBytes(classes, features, true) {
		return nil, errShape(len(data), classes, features)
	}
	share := make([]uint64, len(data)/8)
	for i := range share {
		share[i] = binary.LittleEndian.Uint64(data[8*i:])
	}
	return share, nil
}

func errShape(bytes, classes, features int) error {
	return &Refusal{WrongShape, fmt.Sprintf("%d bytes are no update of %d classes and %d features", bytes, classes, features)}
}

// Digest returns the SHA-256 of data, in hexadecimal.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
