/* test_safetensors_index.c - models that are cut into several files, and files that are
 * none of tensors. */
#include "safetensors_util.h"

#include <stdio.h>
#include <string.h>

#define INDEX "model.safetensors.index.json"

static char *index_path;

static void set_up(void)
{
    tensors_set_up();
    index_path = malloc(strlen(tensors_folder) + sizeof INDEX + 1);
    sprintf(index_path, "%s/%s", tensors_folder, INDEX);
}

static void tear_down(void)
{
    free(index_path);
    tensors_tear_down();
}

static void write_index(const char *text)
{
    free(test_file_write(tensors_folder, INDEX, text, strlen(text)));
}

/* A shard beside the index with tensors of one letter each, whose values are their
 * letters'. */
static void write_shard(const char *name, const char *letters)
{
    char path[512];
    ag_real values[26];
    data_writer *writer = tensors_writer();
    for (int i = 0; letters[i]; i++) {
        const char tensor[2] = {letters[i], '\0'};
        values[i] = (ag_real)letters[i];
        ck_assert_int_eq(data_writer_add_real(writer, tensor, AG_SHAPE(1), &values[i], NULL), AG_OK);
    }
    snprintf(path, sizeof path, "%s/%s", tensors_folder, name);
    ck_assert_int_eq(data_writer_save(writer, path, NULL), AG_OK);
    data_writer_free(writer);
}

START_TEST(all_shards_are_one_file)
{
    write_shard("m-1.safetensors", "cb");
    write_shard("m-2.safetensors", "ad");
    write_index(
        " \n{\"metadata\" : {\"total_size\": 1.5e3, \"a\": [null, true, {\"b\": \"c\"}]}, \"more\": [],"
        "\"weight_map\": {\"b\": \"m-1.safetensors\", \"a\": \"m-2.safetensors\", \"c\": \"m-1.safetensors\"}}\n");
    ag_error error = {0};
    data_safetensors *file = data_safetensors_open(index_path, &error);
    ck_assert_msg(file != NULL, "%s", error.message);
    ck_assert_int_eq(data_safetensors_count(file), 4); /* d, too: all of a shard is there */
    static const char *const names[] = {"b", "c", "a", "d"};
    for (int i = 0; i < 4; i++) {
        ag_real value = 0;
        const data_tensor *tensor = data_safetensors_find(file, names[i]);
        ck_assert_ptr_eq(tensor, data_safetensors_at(file, i));
        ck_assert_int_eq(data_tensor_read(tensor, &value, 1, NULL), AG_OK);
        ck_assert(value == (ag_real)*names[i]);
    }
    ck_assert_ptr_null(data_safetensors_metadata(file, "format"));
    ck_assert_ptr_null(data_safetensors_find(file, "weight_map"));
    data_safetensors_close(file);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"none.safetensors\"}}", "none.safetensors"},
        {"{\"weight_map\":{\"d\":\"m-1.safetensors\"}}",
         "the tensor 'd' is not in m-1.safetensors, where it should be"},
        {"{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"}}",
         "two shards have a tensor named 'b'"},
        {"{\"weight_map\":{\"a\":\"../m-1.safetensors\"}}", "must be a file beside it"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "must be a file beside it"},
        {"{\"weight_map\":{\"a\":\"\"}}", "must be a file beside it"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "must be a file beside it"},
        {"{\"weight_map\":{\"a\":\"" INDEX "\"}}", "above the format's limit"}, /* an index in an index */
        {"{\"weight_map\":{\"a\":\"m-3.bin\"}}", "it looks like a file of torch.save"},
        {"{\"weight_map\":{\"a\":1}}", "bad index of a sharded model at byte 19: a string was expected"},
        {"{\"weight_map\":{\"a\"}}", "':' was expected"},
        {"{\"weight_map\":[]}", "an object was expected"},
        {"{\"weight_map\":{}} x", "something follows the end"},
        {"{\"weight_map\":{},\"weight_map\":{}}", ""},
        {"{\"metadata\":{\"total_size\":1}}", "no index of a sharded model: it has no \"weight_map\""},
        {"{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}", "inside of too many others"},
        {"{\"a\":tru,\"weight_map\":{}}", "true or false"},
        {"{\"a\":nil,\"weight_map\":{}}", "null was expected"},
        {"{\"weight_map\":{\"\xFF\":\"m-1.safetensors\"}}", "not UTF-8"},
        {"{\"weight_map\":{\"a\":\"m-1.safe", "the text ends too early"},
    };
    write_shard("m-1.safetensors", "ab");
    write_shard("m-2.safetensors", "bc");
    free(test_file_write(tensors_folder, "m-3.bin", "PK\3\4 and much more", 19));
    for (size_t i = 0; i < COUNT(cases); i++) {
        ag_error error = {0};
        write_index(cases[i].text);
        data_safetensors *file = data_safetensors_open(index_path, &error);
        if (!*cases[i].word) { /* a second map is skipped */
            ck_assert_ptr_nonnull(file);
            data_safetensors_close(file);
            continue;
        }
        ck_assert_msg(!file, "%s is taken", cases[i].text);
        ck_assert_msg(strstr(error.message, cases[i].word) != NULL, "%s: '%s' is not in: %s", cases[i].text,
                      cases[i].word, error.message);
        ck_assert_msg(strstr(error.message, tensors_folder) != NULL, "%s", error.message);
    }
}
END_TEST

START_TEST(files_of_other_kinds_are_called_by_their_names)
{
    static const struct {
        const char *begin, *word;
    } cases[] = {
        {"PK\3\4............", "no .safetensors file (it looks like a file of torch.save"},
        {"\x80\x02}............", "torch.save"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"},
        {"GGUF............", "GGUF"},
        {"\x89HDF\r\n\x1a\n........", "HDF5"},
        {"\x93NUMPY\1............", "NumPy"},
        {"what is this? .....", "this is no .safetensors file, or a damaged one"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ag_error error = {0};
        free(test_file_write(tensors_folder, "model.safetensors", cases[i].begin, strlen(cases[i].begin)));
        ck_assert_ptr_null(data_safetensors_open(tensors_path, &error));
        ck_assert_msg(strstr(error.message, cases[i].word) != NULL, "'%s' is not in: %s", cases[i].word, error.message);
    }
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    write_shard("m-1.safetensors", "ab");
    write_shard("m-2.safetensors", "cdefghijkl");
    write_index("{\"weight_map\":{\"a\":\"m-1.safetensors\",\"c\":\"m-2.safetensors\"}}");
    data_safetensors *file = NULL;
    int failures = 0;
    for (int n = 1; !file; n++, failures += !file) {
        ag_error error = {0};
        test_fail_allocation(n);
        file = data_safetensors_open(index_path, &error);
        test_fail_allocation(0);
        ck_assert_int_eq(error.status, file ? AG_OK : AG_NO_MEMORY);
    }
    ck_assert_int_gt(failures, 15);
    data_safetensors_close(file);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("safetensors_index");
    TCase *c = tcase_create("index");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, all_shards_are_one_file);
    tcase_add_test(c, what_is_wrong_is_said);
    tcase_add_test(c, files_of_other_kinds_are_called_by_their_names);
    tcase_add_test(c, every_allocation_may_fail);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
