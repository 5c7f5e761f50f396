package edgelens

// DeviceResults counts the results of one device over a time.
type DeviceResults struct {
	// Count is all, Recognized and Uncertain are those with that outcome.
	Count, Recognized, Uncertain int64
	// Scored is how many have a prediction, and MeanProbability the mean of their first ones.
	Scored          int64
	MeanProbability float64
	// Rated is how many have a quality verdict, and Unusable how many of these are not usable.
	Rated, Unusable int64
}
