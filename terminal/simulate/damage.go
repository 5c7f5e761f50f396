package simulate

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"

	"edgelens"
	"edgelens/terminal/dialect"
)

// A damage returns a damaged message. The dialect defines how the receiver must treat it:
// reject it, or accept a record without an image.
type damage func(t *terminal, record edgelens.Record, image []byte) dialect.Outgoing

// damages are chosen from by random numbers.
var damages = []damage{
	onWhole(func(random *rand.Rand, payload []byte) []byte { return payload[:random.IntN(len(payload))] }), // cut off
	onWhole(func(*rand.Rand, []byte) []byte { return nil }),
	onWhole(func(*rand.Rand, []byte) []byte { return []byte("\xff\xfe no JSON \x00") }),
	onWhole(notUTF8),
	onWhole(brokenBase64),
	onWhole(wrongTypes),
	onWhole(hugeNumbers),
	longSerial,
	tooLarge,
}

// onWhole makes a damage of a function that changes the bytes of a valid message.
func onWhole(change func(random *rand.Rand, payload []byte) []byte) damage {
	return func(t *terminal, record edgelens.Record, image []byte) dialect.Outgoing {
		message := t.config.Simulator.Record(t.device, record, image)
		if len(message.Payload) > 0 {
			message.Payload = change(t.random, message.Payload)
		}
		return message
	}
}

func notUTF8(_ *rand.Rand, payload []byte) []byte {
	return bytes.Replace(payload, []byte(`":"`), []byte("\":\"\xff\xc0"), 1)
}

// base64Run matches the beginning of an image in base64.
var base64Run = regexp.MustCompile(`[A-Za-z0-9+/]{64}`)

func brokenBase64(_ *rand.Rand, payload []byte) []byte {
	at := base64Run.FindIndex(payload)
	if at == nil {
		return append([]byte("!"), payload...)
	}
	damaged := bytes.Clone(payload)
	copy(damaged[at[0]:], "!?!")
	return damaged
}

// member matches a member of a JSON object whose value is short.
var member = regexp.MustCompile(`":("[^"]{0,40}"|[0-9]{1,20})`)

func wrongTypes(random *rand.Rand, payload []byte) []byte {
	return replaceMember(random, payload, `":{"what":["is",null,true]}`)
}

func hugeNumbers(random *rand.Rand, payload []byte) []byte {
	return replaceMember(random, payload, `":1e99999`+strings.Repeat("9", random.IntN(400)))
}

func replaceMember(random *rand.Rand, payload []byte, with string) []byte {
	found := member.FindAllIndex(payload, 64)
	if found == nil {
		return []byte(with)
	}
	at := found[random.IntN(len(found))]
	return bytes.Join([][]byte{payload[:at[0]], payload[at[1]:]}, []byte(with))
}

func longSerial(t *terminal, record edgelens.Record, image []byte) dialect.Outgoing {
	return t.config.Simulator.Record(strings.Repeat("x", 200), record, image)
}

// tooLarge sends an image above the limit.
func tooLarge(t *terminal, record edgelens.Record, image []byte) dialect.Outgoing {
	if missing := t.config.LargeBytes - len(image); missing > 0 {
		image = append(bytes.Clone(image), make([]byte, missing)...)
	}
	return t.config.Simulator.Record(t.device, record, image)
}
