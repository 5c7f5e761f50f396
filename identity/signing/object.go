package signing

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"edgelens"
	"edgelens/internal/jcs"
)

// jose64 is the base64 of JOSE.
var jose64 = base64.RawURLEncoding.Strict()

// member is the member of an object with its signature.
const member = "signature"

// VerifyObject checks the signature in a JSON object. The error wraps ErrInvalid and is a sentence with the cause.
func (k Keys) VerifyObject(object []byte) (Proof, error) {
	signature, unsigned, err := split(object)
	if err != nil {
		return Proof{}, err
	}
	return k.Verify(signature, unsigned)
}

// split returns the signature of a JSON object, and the canonical form of the rest.
func split(object []byte) (signature string, unsigned []byte, err error) {
	canonical, err := jcs.Canonicalize(object)
	if err != nil {
		return "", nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(canonical, &members); err != nil || members == nil {
		return "", nil, fmt.Errorf("%w: there is no JSON object", edgelens.ErrInvalid)
	}
	value, signed := members[member]
	if !signed {
		return "", nil, fmt.Errorf("%w: there is no member %q", edgelens.ErrInvalid, member)
	}
	if err := json.Unmarshal(value, &signature); err != nil || signature == "" {
		return "", nil, fmt.Errorf("%w: the member %q is no signature", edgelens.ErrInvalid, member)
	}
	delete(members, member)
	unsigned, err = jcs.Marshal(members)
	return signature, unsigned, err
}

// SignObject implements event.Signer: it returns a JSON object with its signature. One without a canonical form, such as
// with a number of a device that readers would read differently, stays as it is, and is counted.
func (n *Node) SignObject(object []byte) []byte {
	canonical, err := jcs.Canonicalize(object)
	if err == nil && (len(object) < 2 || object[len(object)-1] != '}') {
		err = fmt.Errorf("%w: there is no JSON object that ends in its last byte", edgelens.ErrInvalid)
	}
	if err != nil {
		n.note(outcomeUnsignable, err)
		return object
	}
	signature, err := n.Sign(canonical)
	if err != nil {
		n.note(outcomeFailed, err)
		return object
	}
	n.note(outcomeSigned, nil)
	separator := ","
	if len(canonical) == len("{}") {
		separator = ""
	}
	return slices.Concat(object[:len(object)-1], []byte(separator+`"`+member+`":"`+signature+`"}`))
}

// SignBytes implements event.Signer: it returns the detached signature of bytes; empty where they cannot be signed, which
// is counted.
func (n *Node) SignBytes(text []byte) string {
	signature, err := n.Sign(text)
	if err != nil {
		n.note(outcomeFailed, err)
		return ""
	}
	n.note(outcomeSigned, nil)
	return signature
}
