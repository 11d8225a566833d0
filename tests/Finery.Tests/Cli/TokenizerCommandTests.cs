using System.Globalization;
using System.Text.Json;
using Finery.Data.Tokenizers;
using Finery.Tests.Data.Tokenizers;
using Finery.Tests.Models;
using Xunit;
using static Finery.Tests.Cli.CommandLineTests;

namespace Finery.Tests.Cli;

/// <summary><c>finery tokenizer</c> as a child process.</summary>
public sealed class TokenizerCommandTests : IDisposable
{
    private const string Text = "Gets the naïve\r\n\tvalue \U0001F600 12345\n\nof <|im_end|>";

    private readonly TemporaryFolder _folder = new();

    public TokenizerCommandTests() => TokenizerFile.Save(Samples.Tokenizer, _folder["tokenizer"]);

    public void Dispose() => _folder.Dispose();

    private string Write(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        return _folder[name];
    }

    private string Ok(params string[] arguments)
    {
        var outcome = Run(["tokenizer", .. arguments]);
        Assert.True(outcome.Code == 0, outcome.Error);
        return outcome.Out;
    }

    private static string Ids(string text) => string.Join(' ', Samples.Tokenizer.Encode(text));

    [Fact]
    public void A_file_goes_to_ids_and_back_without_a_changed_byte()
    {
        string ids = Ok("encode", _folder["tokenizer"], "--input", Write("a.txt", Text));
        Assert.Equal(Ids(Text), ids.Trim());
        Assert.Equal(Text, Ok("decode", _folder["tokenizer"], "--input", Write("a.ids", ids)));
    }

    [Fact]
    public void Each_line_and_each_document_is_a_text_of_its_own()
    {
        string lines = Ok("encode", _folder["tokenizer"], "--input", Write("a.txt", "the value\n\ngets"), "--lines");
        Assert.Equal([Ids("the value"), "", Ids("gets"), ""], lines.Split('\n'));
        Assert.Equal("the value\n\ngets\n", Ok("decode", _folder["tokenizer"], "--input", Write("a.ids", lines), "--lines"));
        Write("b.jsonl", "{\"text\": \"the value\\nof\"}\n{\"text\": \"gets\"}\n");
        Assert.Equal([Ids("the value\nof"), Ids("gets"), ""],
            Ok("encode", _folder["tokenizer"], "--input", _folder["b.jsonl"]).Split('\n'));
    }

    [Fact]
    public void Counting_gives_texts_bytes_and_tokens_of_all_files()
    {
        string[] files = [Write("a.txt", "the value"), Write("b.txt", "naïve")];
        string counted = Ok(["encode", _folder["tokenizer"], "--count", "--input", .. files]);
        int tokens = Samples.Tokenizer.Encode("the value").Length + Samples.Tokenizer.Encode("naïve").Length;
        Assert.Contains("texts: 2", counted);
        Assert.Contains("bytes: 15", counted);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"tokens: {tokens}\n"), counted);
    }

    [Fact]
    public void Info_says_what_a_tokenizer_is()
    {
        using var json = JsonDocument.Parse(Ok("info", _folder["tokenizer"], "--json"));
        var root = json.RootElement;
        Assert.Equal(Samples.Tokenizer.VocabSize, root.GetProperty("vocab_size").GetInt32());
        Assert.Equal(600 - 261, root.GetProperty("merges").GetInt32());
        Assert.Equal("byte-level BPE", root.GetProperty("model").GetString());
        Assert.Equal(Samples.Tokenizer.VocabSize, root.GetProperty("tokens").GetInt32());
        Assert.False(root.GetProperty("special_tokens")[0].GetProperty("lstrip").GetBoolean());
        Assert.Equal("Llama3", root.GetProperty("split").GetString());
        Assert.Equal(Samples.Tokenizer.Fingerprint, root.GetProperty("fingerprint").GetString());
        Assert.Equal("<|begin_of_text|> (0)", root.GetProperty("bos").GetString());
        Assert.True(root.GetProperty("chat_template").GetBoolean());
        Assert.Equal(5, root.GetProperty("special_tokens").GetArrayLength());
        Assert.True(root.GetProperty("special_tokens")[0].GetProperty("special").GetBoolean());
        Assert.Equal(["tokenizer.json", "tokenizer_config.json"],
            root.GetProperty("files").EnumerateArray().Select(file => file.GetProperty("name").GetString()));
        Assert.Contains("fingerprint: " + Samples.Tokenizer.Fingerprint, Ok("info", _folder["tokenizer/tokenizer.json"]));
    }

    [Fact]
    public void Two_tokenizers_are_set_side_by_side()
    {
        TokenizerFile.Save(new BpeTrainer { VocabSize = 300 }.Train(Samples.Texts(50)), _folder["small"]);
        string text = Write("a.txt", string.Join('\n', Samples.PlainTexts(20)));
        using var json = JsonDocument.Parse(Ok("compare", _folder["tokenizer"], _folder["small"], "--input", text, "--json"));
        var root = json.RootElement;
        Assert.False(root.GetProperty("ids_equal").GetBoolean());
        Assert.True(root.GetProperty("a_bytes_per_token").GetDouble() > root.GetProperty("b_bytes_per_token").GetDouble());
        Assert.InRange(root.GetProperty("shared_tokens").GetInt32(), 256, 295);
        Assert.True(root.GetProperty("b").GetProperty("mib_per_second").GetDouble() > 0);
        string same = Ok("compare", _folder["tokenizer"], _folder["tokenizer"], "--input", text);
        Assert.Contains("ids_equal: true", same);
    }

    [Fact]
    public void Training_takes_files_by_path()
    {
        string text = Write("a.txt", string.Join('\n', Samples.PlainTexts(300)));
        var outcome = Run(["tokenizer", "train", "--documents", text, Write("b.txt", "more of it"), "--vocab-size", "512",
            "--reference", _folder["tokenizer"], "--out", _folder["run"]]);
        Assert.True(outcome.Code == 0, outcome.Error);
        Assert.Equal(512, TokenizerFile.Load(_folder["run/train-tokenizer/tokenizer"]).VocabSize);
        using var report = JsonDocument.Parse(File.ReadAllText(_folder["run/train-tokenizer/tokenizer-report.json"]));
        Assert.Equal(2, report.RootElement.GetProperty("training").GetProperty("texts").GetInt32());
        Assert.Contains("reference_bytes_per_token", File.ReadAllText(_folder["run/train-tokenizer/step.json"]));
    }

    [Theory]
    [InlineData("encode nowhere text", "nowhere")]
    [InlineData("encode TOKENIZER text --lins", "Did you mean '--lines'?")]
    [InlineData("encode TOKENIZER --input nowhere.txt", "nowhere.txt")]
    [InlineData("decode TOKENIZER 5 six", "'six' is not a token id")]
    [InlineData("decode TOKENIZER 600", "0 to 599")]
    [InlineData("info nowhere", "nowhere")]
    [InlineData("compare TOKENIZER nowhere --input TOKENIZER", "nowhere")]
    [InlineData("compare TOKENIZER TOKENIZER --input nowhere.txt", "nowhere.txt")]
    [InlineData("train --documents nowhere.txt", "nowhere.txt")]
    public void Wrong_usage_exits_with_2_and_says_what_is_wrong(string arguments, string expected)
    {
        var outcome = Run(["tokenizer", .. arguments.Replace("TOKENIZER", _folder["tokenizer"], StringComparison.Ordinal).Split(' ')]);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(expected, outcome.Error);
        Assert.DoesNotContain("   at ", outcome.Error);
    }

    [Fact]
    public void A_file_that_is_no_text_is_refused_by_name()
    {
        File.WriteAllBytes(_folder["a.bin"], [0x61, 0xFF, 0xFE, 0x62]);
        var outcome = Run(["tokenizer", "encode", _folder["tokenizer"], "--input", _folder["a.bin"]]);
        Assert.Equal(1, outcome.Code);
        Assert.Contains("a.bin is not valid UTF-8", outcome.Error);
    }
}
