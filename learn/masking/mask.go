// Package masking is secure aggregation by pairwise masks (Bonawitz et al., "Practical Secure Aggregation for
// Privacy-Preserving Machine Learning", CCS 2017, section 4, without the recovery of members that drop out): a coordinator
// learns the sum of the members' shares and nothing about a single one.
//
// Each member makes a key for the round. Each pair agrees on a secret by ECDH over P-256, which HKDF turns into a key for
// AES-256 in counter mode. Its stream is the mask of the pair: one of them adds it to its share, modulo 2^64, and the other
// subtracts it, so that it cancels in the sum.
//
// What it costs: a share cannot be checked by itself, so that neither a norm above the clip nor the values of a poisoned
// member are seen, and a trimmed mean is not possible. A member that sends no share makes the round useless: its masks
// remain in the sum. Keys must come from their members, signed: a coordinator that replaces them can read the shares.
package masking

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"edgelens"
)

// MinMembers is the smallest number of members: of two, each can subtract its own share from the sum.
const MinMembers = 3

// purpose keeps the keys of masks apart from all others that a secret might be used for.
const purpose = "edgelens secure aggregation 1"

// Mask adds the masks of a member to its share. own is its key of the round, which must be used for one share only: the
// difference of two shares with the same masks has none. members are the public keys (uncompressed
// points) of all members, its own included, in any order; round is the same for all members and no other round. The error
// wraps edgelens.ErrInvalid for members that cannot be used; the share must not be sent then.
func Mask(share []uint64, own *ecdh.PrivateKey, members [][]byte, round string) error {
	self := own.PublicKey().Bytes()
	if err := checkMembers(members, self); err != nil {
		return err
	}
	for _, member := range members {
		if bytes.Equal(member, self) {
			continue
		}
		stream, err := pairStream(own, member, round)
		if err != nil {
			return err
		}
		addStream(share, stream, bytes.Compare(self, member) < 0)
	}
	return nil
}

// checkMembers returns an edgelens.ErrInvalid if there are too few or too many, one is there twice, or self is missing.
func checkMembers(members [][]byte, self []byte) error {
	if len(members) < MinMembers || len(members) > MaxMembers {
		return fmt.Errorf("%w: secure aggregation: %d members; %d to %d can take part", edgelens.ErrInvalid, len(members), MinMembers, MaxMembers)
	}
	sorted := slices.SortedFunc(slices.Values(members), bytes.Compare)
	if len(slices.CompactFunc(sorted, bytes.Equal)) != len(members) {
		return fmt.Errorf("%w: secure aggregation: the key of a member is there twice", edgelens.ErrInvalid)
	}
	if _, found := slices.BinarySearchFunc(sorted[:len(members)], self, bytes.Compare); !found {
		return fmt.Errorf("%w: secure aggregation: the key of this node is not among the members'", edgelens.ErrInvalid)
	}
	return nil
}

// pairStream returns the mask of this member and another one.
func pairStream(own *ecdh.PrivateKey, member []byte, round string) (cipher.Stream, error) {
	public, err := ecdh.P256().NewPublicKey(member)
	if err != nil {
		return nil, fmt.Errorf("%w: secure aggregation: read the key of a member: %w", edgelens.ErrInvalid, err)
	}
	secret, err := own.ECDH(public)
	if err != nil {
		return nil, fmt.Errorf("%w: secure aggregation: agree with a member: %w", edgelens.ErrInvalid, err)
	}
	key, err := hkdf.Key(sha256.New, secret, []byte(round), purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a mask: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("open the cipher of a mask: %w", err)
	}
	return cipher.NewCTR(block, make([]byte, aes.BlockSize)), nil // each key is used once
}

// addStream adds the stream to the share, or subtracts it.
func addStream(share []uint64, stream cipher.Stream, add bool) {
	var block [4096]byte
	for rest := share; len(rest) > 0; {
		size := min(len(rest), len(block)/8)
		clear(block[:])
		stream.XORKeyStream(block[:8*size], block[:8*size])
		for i := range size {
			mask := binary.LittleEndian.Uint64(block[8*i:])
			if !add {
				mask = -mask
			}
			rest[i] += mask
		}
		rest = rest[size:]
	}
}

// Sum returns the weighted mean of the values of all members and the sum of their weights. members is how many keys each
// Mask was given. The error wraps edgelens.ErrInvalid where the shares are not one of each member, of the same length and
// the same round: their masks do not cancel then, and the sum means nothing.
func Sum(shares [][]uint64, members int) (mean []float64, weight int, err error) {
	if len(shares) != members || members < MinMembers || members > MaxMembers {
		return nil, 0, fmt.Errorf("%w: secure aggregation: %d shares of %d members; the masks of those that are missing remain in the sum: begin the round again", edgelens.ErrInvalid, len(shares), members)
	}
	sum := make([]uint64, len(shares[0]))
	if len(sum) < 3 {
		return nil, 0, fmt.Errorf("%w: secure aggregation: a share of %d numbers has no values", edgelens.ErrInvalid, len(sum))
	}
	for _, share := range shares {
		if len(share) != len(sum) {
			return nil, 0, fmt.Errorf("%w: secure aggregation: shares of %d and %d numbers cannot be added", edgelens.ErrInvalid, len(sum), len(share))
		}
		for i, v := range share {
			sum[i] += v
		}
	}
	mean, weight, ok := decode(sum, members)
	if !ok {
		return nil, 0, fmt.Errorf("%w: secure aggregation: the masks do not cancel in the sum, so that a share is missing, there twice or of another round: begin the round again", edgelens.ErrInvalid)
	}
	return mean, weight, nil
}
