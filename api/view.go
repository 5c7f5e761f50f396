package api

import "edgelens"

const (
	// fitWanted and regionWanted describe the values.
	fitWanted    = "center, stretch, sweep or pad"
	regionWanted = "x,y,width,height, each from 0 to 1, with x + width and y + height at most 1"
	// maxRegion is the maximum length of a region as text.
	maxRegion = 200
)

// readFitOption and readRegionOption read options, which are not empty.
func readFitOption(text string) (any, bool) {
	fit := edgelens.Fit(text)
	return fit, fit != "" && fit.Check() == nil
}

func readRegionOption(text string) (any, bool) { return readRegion(text) }

// readRegion reads a region as text that is not empty.
func readRegion(text string) (edgelens.Region, bool) {
	if text == "" || len(text) > maxRegion {
		return edgelens.Region{}, false
	}
	region, err := edgelens.ParseRegion(text)
	return region, err == nil
}

// isJSONRegion reports whether a JSON value is a region as text, which may be invalid, or
// as a valid object.
func isJSONRegion(value []byte) bool {
	_, ok := readRegionObject(value)
	return ok || isJSONString(value)
}

// readRegionObject reads a region as a JSON object with x, y, width and height, each once
// and a number.
func readRegionObject(value []byte) (region edgelens.Region, ok bool) {
	sides := map[string]*float64{"x": &region.X, "y": &region.Y, "width": &region.Width, "height": &region.Height}
	members, err := jsonMembers(value)
	if err != nil || len(members) != len(sides) {
		return edgelens.Region{}, false
	}
	for _, m := range members {
		side := sides[m.name]
		if side == nil || !isJSONNumber(m.value) {
			return edgelens.Region{}, false
		}
		delete(sides, m.name) // a second one is an error
		if *side, ok = readNumber(string(m.value)); !ok {
			return edgelens.Region{}, false
		}
	}
	return region, region != (edgelens.Region{}) && region.Check() == nil
}

// newRegion returns a region in the form of the API; nil for the whole image.
func newRegion(r edgelens.Region) *Region {
	if r == (edgelens.Region{}) {
		return nil
	}
	return &Region{X: r.X, Y: r.Y, Width: r.Width, Height: r.Height}
}

// newView returns a view in the form of the API; nil for that of a result of an earlier
// version, which had none.
func newView(v edgelens.ShownView) *View {
	if v == (edgelens.ShownView{}) {
		return nil
	}
	return &View{Fit: Fit(v.Fit), Region: newRegion(v.Region), Count: v.Count}
}
