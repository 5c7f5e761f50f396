package vector

// The product of two vectors of int8, without instructions that Go's compiler does not know and with two multiplications of
// bytes in one of 64 bits (docs/adr/0052-embeddings.md): with a value a of one vector and b of the other plus 128,
//
//	(a0 + a1<<32) * (b1 + b0<<32) = a0*b1 + (a0*b0 + a1*b1)<<32   modulo 2^64,
//
// so that the upper half of the sum of such products is the product of the vectors. Neither half overflows: for MaxDims the
// upper one is at most 16384*255*255 < 2^32, and the lower one half of that.

// halves selects the lowest byte in each half of a word.
const halves = 0x000000ff_000000ff

// packed returns the values plus 128, eight in a word, the first one in its lowest byte, and their sum. What is missing in
// the last word is 128, that is, 0.
func packed(values []int8, words []uint64) (sum int64) {
	for w := range words {
		words[w] = 0
		for b := range 8 {
			value := uint64(128)
			if i := 8*w + b; i < len(values) {
				value = uint64(int64(values[i]) + 128) // 0 to 255
			}
			words[w] |= value << (8 * b)
			sum += int64(value) // 0 to 255
		}
	}
	return sum
}

// wordsOf returns how many words the values of a vector take.
func wordsOf(dims int) int { return (dims + 7) / 8 }

// query is a vector to compare with, prepared.
type query struct {
	// table has the factors of each word of a packed vector: for its bytes k and k+4, those of the query, exchanged.
	table   [][4]uint64
	sum     int64
	inverse float64
}

// newQuery prepares a vector that has a direction.
func newQuery(values []int8) query {
	words := make([]uint64, wordsOf(len(values)))
	q := query{sum: packed(values, words), table: make([][4]uint64, len(words)), inverse: inverse(squareOf(values))}
	for i, w := range words {
		for k := range 4 {
			lower, upper := w>>(8*k)&0xff, w>>(8*k+32)&0xff
			q.table[i][k] = upper | lower<<32
		}
	}
	return q
}

// squareOf returns the square of the length of a vector.
func squareOf(values []int8) (square int64) {
	for _, v := range values {
		square += int64(v) * int64(v)
	}
	return square
}

// product returns the product of the query and a packed vector, whose bytes have that sum.
func (q *query) product(words []uint64, sum int64) int64 {
	biased := int64(biasedProduct(words, q.table) >> 32) // below 2^32
	return biased - 128*(sum+q.sum) + 128*128*8*int64(len(words))
}

// biasedProduct returns a word whose upper half is the sum of the products of the bytes.
func biasedProduct(words []uint64, table [][4]uint64) uint64 {
	var a, b, c, d uint64
	table = table[:len(words)]
	for i, w := range words {
		t := &table[i]
		a += (w & halves) * t[0]
		b += (w >> 8 & halves) * t[1]
		c += (w >> 16 & halves) * t[2]
		d += (w >> 24 & halves) * t[3]
	}
	return a + b + c + d
}
