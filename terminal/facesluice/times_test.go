package facesluice_test

import (
	"strings"
	"testing"

	"edgelens"
	"edgelens/terminal/dialect/dialecttest"
)

// What a camera states about the time of a record, or about sending it later, counts in any
// position of the message.
func TestFreshness(t *testing.T) {
	const old, now = `"2024-04-10 10:00:07"`, `"2026-04-10 10:00:07"`
	const live = `"RecordID":"5","VerifyStatus":"1","time":` + now
	const fresh, replayed, unknown = edgelens.FreshnessFresh, edgelens.FreshnessReplayed, edgelens.FreshnessUnknown
	inString := func(json string) string { return `"` + strings.ReplaceAll(json, `"`, `\"`) + `"` }
	tests := map[string]struct {
		payload string
		want    edgelens.Freshness
	}{
		"live":                         {`"info":{` + live + `}`, fresh},
		"live, and sent now":           {`"timestamp":1775808009,"info":{` + live + `}`, fresh},
		"live, as the document":        {`"messageId":"1","info":{` + live + `,"Sendintime":1,"PushType":0,"sendTime":` + now + `,"passType":"face","BeginTime":` + old + `,"EndTime":` + old + `}`, fresh},
		"a live marker beside":         {`"Sendintime":"1","PushType":"0","info":{` + live + `}`, fresh},
		"an old time beside":           {`"time":` + old + `,"info":{` + live + `}`, unknown},
		"an old one in the wrapping":   {`"info":{"CreateTime":` + old + `,"rec":{` + live + `}}`, unknown},
		"an old one in the record":     {`"info":{` + live + `,"rec":{"time":` + old + `}}`, unknown},
		"snapTime":                     {`"info":{` + live + `,"snapTime":` + old + `}`, unknown},
		"deviceTime":                   {`"info":{` + live + `,"deviceTime":` + old + `}`, unknown},
		"timestampMs":                  {`"info":{` + live + `,"timestampMs":1712743207000}`, unknown},
		"only a time of sending":       {`"timestamp":1775808009,"info":{"RecordID":"5","VerifyStatus":"1"}`, unknown},
		"only a time beside":           {`"Time":` + now + `,"info":{"RecordID":"5","VerifyStatus":"1"}`, fresh},
		"only an old one beside":       {`"Time":` + old + `,"info":{"RecordID":"5","VerifyStatus":"1"}`, replayed},
		"one beside the wrapping":      {`"info":{"recordTime":` + now + `,"list":[{"RecordID":"5","VerifyStatus":"1"}]}`, unknown},
		"only a time of arrival":       {`"receivedTime":` + now + `,"info":{"RecordID":"5","VerifyStatus":"1"}`, unknown},
		"Sendintime":                   {`"info":{` + live + `,"Sendintime":0}`, replayed},
		"Sendintime beside":            {`"Sendintime":0,"info":{` + live + `}`, replayed},
		"Sendintime in the wrapping":   {`"info":{"Sendintime":"0","list":[{` + live + `}]}`, replayed},
		"Sendintime in an object":      {`"info":{` + live + `,"ext":{"Sendintime":0}}`, replayed},
		"Sendintime in a string":       {`"info":{` + live + `,"ext":` + inString(`{"Sendintime":0}`) + `}`, replayed},
		"Sendintime misspelled":        {`"info":{` + live + `,"SendinTimes":0}`, replayed},
		"Sendintime, a letter missing": {`"info":{` + live + `,"Sendintme":0}`, replayed},
		"both":                         {`"PushType":1,"info":{` + live + `,"Sendintime":0}`, replayed},
		"PushType":                     {`"info":{` + live + `,"PushType":"1"}`, unknown},
		"PushType beside":              {`"PushType":1,"info":{` + live + `}`, unknown},
		"PushType misspelled":          {`"info":{` + live + `,"PushTyp":1}`, unknown},
		"PushType in full width":       {`"info":{` + live + `,"ＰｕｓｈＴｙｐｅ":1}`, unknown},
		"PushType null":                {`"a":[{"push_type":null}],"info":{` + live + `}`, unknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, operator := range []string{"RecPush", "StrSnapPush"} {
				message, ok := dialecttest.Decode(t, cameras, "mqtt/face/7/Rec", []byte(`{"operator":"`+operator+`",`+test.payload+`}`))
				if !ok || len(message.Entries) != 1 {
					t.Fatalf("%+v", message)
				}
				if entry := message.Entries[0]; dialecttest.Freshness(entry) != test.want {
					t.Errorf("%s: %s, %q, %+v", operator, dialecttest.Freshness(entry), entry.Record.FreshnessReason, entry.Times)
				}
			}
		})
	}
}
