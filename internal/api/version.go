package api

// Version is what a program knows of how it was built.
type Version struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	Branch    string `json:"branch"`
	BuildDate string `json:"buildDate"`
	Go        string `json:"go"`
	Platform  string `json:"platform"` // linux/amd64
}
