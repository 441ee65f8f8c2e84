/* test_sha256.c - SHA-256 and base64 of the examples that their standards give. */
#include "check_util.h"
#include "sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_digest(const char *bytes, size_t size, const char *expected)
{
    unsigned char digest[DATA_SHA256];
    char text[2 * DATA_SHA256 + 1];
    data_sha256(bytes, size, digest);
    for (size_t i = 0; i < DATA_SHA256; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    ck_assert_str_eq(text, expected);
}

/* The examples of FIPS 180-4: of no bytes; less than a block; so many that their number
 * needs a second block; a second block of their own; many blocks. */
START_TEST(digests_of_the_standard)
{
    static const char long_text[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                                    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    char *many = malloc(1000000);
    ck_assert_ptr_nonnull(many);
    memset(many, 'a', 1000000);
    check_digest("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_digest(long_text, 112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    check_digest(many, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(many);
}
END_TEST

/* RFC 4648, section 10. */
START_TEST(base64_of_the_standard)
{
    static const char *const expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t size = 0; size <= 6; size++) {
        char text[DATA_BASE64(6)];
        data_base64("foobar", size, text);
        ck_assert_str_eq(text, expected[size]);
        ck_assert_uint_eq(strlen(text) + 1, DATA_BASE64(size));
    }
    char text[DATA_BASE64(3)];
    data_base64("\xFB\xF0\xFF", 3, text); /* the digits that are no letters */
    ck_assert_str_eq(text, "+/D/");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sha256");
    TCase *t = tcase_create("sha256");
    tcase_add_test(t, digests_of_the_standard);
    tcase_add_test(t, base64_of_the_standard);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
