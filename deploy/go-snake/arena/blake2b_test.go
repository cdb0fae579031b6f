package arena

import (
	"encoding/hex"
	"testing"
)

// The values are those of Python's hashlib, which the referee uses.
func TestBlake2bIsTheReferees(t *testing.T) {
	long := make([]byte, 1000)
	for i := range long {
		long[i] = byte(i)
	}
	for _, c := range []struct {
		text []byte
		want string
	}{
		{nil, "cae66941d9efbd404e4d88758ea67670"},
		{[]byte("abc"), "cf4ab791c62b8d2b2109c90275287816"},
		{long[:128], "a74787004ef589e31149183900d0294a"},
		{long[:129], "aaf1b0371f6d4ee49ee4fb5ddd9c49ef"},
		{long, "978a3f8b45508a42fe7f0f99caf2c423"},
	} {
		if got := blake2b128(c.text, ""); hex.EncodeToString(got[:]) != c.want {
			t.Errorf("%d bytes: %x, want %s", len(c.text), got, c.want)
		}
	}
}

func TestIdsAreTheReferees(t *testing.T) {
	who := identityOf(71, []int{1, 0})
	if who.game != "091e5e01-2b63-414b-970a-a9e8f174b1ae" || who.snakes[0] != "2cacfbfc-116c-4ad2-b3ba-b7108b630c6c" || who.snakes[1] != "906123d5-30d2-45ab-b0e3-16f21d621920" {
		t.Errorf("%+v", who)
	}
	if solo := identityOf(-5, []int{0}); solo.game != "2c3b274d-fc6a-477a-9c04-a15c6dd941b1" {
		t.Errorf("%+v", solo)
	}
}
