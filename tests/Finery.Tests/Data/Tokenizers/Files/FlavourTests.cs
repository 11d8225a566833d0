using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Files;

/// <summary>Small files of every flavour; the ids and texts are those of HF's tokenizers 0.23 for the same files. (Two texts are not,
/// where that version writes normalised added tokens in their normalised form.)</summary>
public class FlavourTests
{
    private static readonly string[] Texts =
    [
        "hello world", "  Hello  \u00e9\ud83d\ude09", "hello<s>hello 12's", "e\u0301! \u00e9! hello<|im_start|> hello",
        "  mask hello<w>  l  <w>",
    ];

    public static TheoryData<string> Names => [.. SmallFiles.Names];

    [Theory]
    [InlineData("gpt2", 0, new[] { 259, 264 }, "hello world")]
    [InlineData("gpt2", 1, new[] { 220, 220, 39, 68, 257, 78, 220, 220, 266, 172, 253, 246, 231 }, "  Hello  é😉")]
    [InlineData("gpt2", 2, new[] { 259, 27, 82, 29, 259, 220, 265, 6, 82 }, "hello<s>hello 12's")]
    [InlineData("gpt2", 3, new[] { 68, 136, 223, 0, 220, 266, 0, 220, 259, 27, 91, 72, 76, 62, 82, 83, 64, 81, 83, 91, 29, 220, 259 },
        "é! é! hello<|im_start|> hello")]
    [InlineData("gpt2", 4, new[] { 220, 220, 76, 64, 82, 74, 220, 259, 27, 86, 29, 220, 220, 75, 220, 220, 27, 86, 29 },
        "  mask hello<w>  l  <w>")]
    [InlineData("llama2", 0, new[] { 1, 275, 278, 262, 266 }, "hello world")]
    [InlineData("llama2", 1, new[] { 1, 277, 259, 75, 261, 271, 263, 277, 269, 243, 162, 155, 140 }, "  Hello  é😉")]
    [InlineData("llama2", 2, new[] { 1, 275, 1, 275, 259, 267, 268, 42, 118 }, "hello hello 12's")]
    [InlineData("llama2", 3, new[] { 1, 259, 261, 207, 132, 36, 259, 269, 36, 275, 63, 127, 108, 112, 98, 118, 119, 100, 265, 119, 127, 65, 275 },
        "é! é! hello<|im_start|> hello")]
    [InlineData("llama2", 4, new[] { 1, 277, 259, 112, 100, 118, 110, 275, 63, 264, 65, 277, 262, 277, 63, 264, 65 },
        "  mask hello<w>  l  <w>")]
    [InlineData("llama3", 0, new[] { 269, 259, 264 }, "hello world")]
    [InlineData("llama3", 1, new[] { 269, 220, 220, 39, 68, 257, 78, 220, 220, 266, 172, 253, 246, 231 }, "  Hello  é😉")]
    [InlineData("llama3", 2, new[] { 269, 259, 269, 259, 220, 265, 6, 82 }, "hellohello 12's")]
    [InlineData("llama3", 3, new[] { 269, 68, 136, 223, 0, 220, 266, 0, 220, 259, 27, 91, 72, 76, 62, 82, 83, 64, 81, 83, 91, 29, 220, 259 },
        "é! é! hello<|im_start|> hello")]
    [InlineData("llama3", 4, new[] { 269, 220, 220, 76, 64, 82, 74, 220, 259, 27, 86, 29, 220, 220, 75, 220, 220, 27, 86, 29 },
        "  mask hello<w>  l  <w>")]
    [InlineData("qwen2", 0, new[] { 259, 264 }, "hello world")]
    [InlineData("qwen2", 1, new[] { 220, 220, 39, 68, 257, 78, 220, 220, 266, 172, 253, 246, 231 }, "  Hello  é😉")]
    [InlineData("qwen2", 2, new[] { 259, 27, 82, 29, 259, 220, 16, 17, 6, 82 }, "hello<s>hello 12's")]
    [InlineData("qwen2", 3, new[] { 270, 220, 270, 220, 259, 269, 220, 259 }, "e\u0301! e\u0301! hello hello")]
    [InlineData("qwen2", 4, new[] { 220, 220, 76, 64, 82, 74, 220, 259, 27, 86, 29, 220, 220, 75, 220, 220, 27, 86, 29 },
        "  mask hello<w>  l  <w>")]
    [InlineData("smollm", 0, new[] { 259, 264 }, "hello world")]
    [InlineData("smollm", 1, new[] { 220, 220, 39, 68, 257, 78, 220, 220, 266, 172, 253, 246, 231 }, "  Hello  é😉")]
    [InlineData("smollm", 2, new[] { 259, 269, 259, 220, 16, 17, 6, 82 }, "hellohello 12's")]
    [InlineData("smollm", 3, new[] { 68, 136, 223, 0, 220, 266, 0, 220, 259, 27, 91, 72, 76, 62, 82, 83, 64, 81, 83, 91, 29, 220, 259 },
        "é! é! hello<|im_start|> hello")]
    [InlineData("smollm", 4, new[] { 220, 220, 76, 64, 82, 74, 220, 259, 27, 86, 29, 220, 220, 75, 220, 220, 27, 86, 29 },
        "  mask hello<w>  l  <w>")]
    [InlineData("tail", 0, new[] { 220, 256, 75, 220, 75, 220, 78, 262, 75, 220, 67 }, " hel l o worl d")]
    [InlineData("tail", 1, new[] { 267, 256, 75, 220, 75, 220, 78, 267, 266, 172, 253, 246, 231 }, "  hel l o  é😉")]
    [InlineData("tail", 2, new[] { 220, 256, 75, 220, 75, 220, 78, 27, 82, 29, 256, 75, 220, 75, 220, 78, 220, 265, 6, 82 },
        " hel l o<s>hel l o 12's")]
    [InlineData("tail", 3, new[] { 220, 268, 223, 0, 220, 266, 0, 220, 256, 75, 220, 75, 220, 78, 27, 91, 72, 76, 62, 82, 83, 64, 81, 83, 91, 29, 220, 256, 75, 220, 75, 220, 78 },
        " é! é! hel l o<|im_start|> hel l o")]
    [InlineData("tail", 4, new[] { 269, 220, 256, 75, 220, 75, 220, 78, 270, 220, 75, 267, 270 }, " hel l o<w> l  <w>")]
    [InlineData("unigram", 0, new[] { 3, 5, 6 }, "hello world")]
    [InlineData("unigram", 1, new[] { 2, 2, 0, 7, 10, 2, 2, 13, 0 }, " llo  é")]
    [InlineData("unigram", 2, new[] { 3, 1, 4, 2, 14, 0 }, "hellohello 12")]
    [InlineData("unigram", 3, new[] { 2, 0, 2, 13, 0, 3, 0, 12, 0, 3 }, " é hellor hello")]
    [InlineData("unigram", 4, new[] { 2, 2, 0, 3, 0, 11, 0, 2, 2, 7, 2, 2, 0, 11, 0 }, "  hellow  l  w")]
    public void Ids_and_text_are_HF_s(string name, int text, int[] ids, string decoded)
    {
        var tokenizer = TokenizerFile.Parse(SmallFiles.Of(name));
        Assert.Equal(ids, tokenizer.Encode(Texts[text], allowSpecial: true, addSpecialTokens: true));
        Assert.Equal(decoded, tokenizer.Decode(ids));
        var decoder = new StreamingDecoder(tokenizer);
        Assert.Equal(decoded, string.Concat(ids.Select(decoder.Push)) + decoder.Flush());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Load_then_save_is_byte_identical(string name)
    {
        string json = SmallFiles.Of(name);
        Assert.Equal(json, TokenizerFile.ToJson(TokenizerFile.Parse(json)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Special_text_is_ordinary_unless_allowed(string name)
    {
        var tokenizer = TokenizerFile.Parse(SmallFiles.Of(name));
        string text = string.Join("l", tokenizer.SpecialTokens.Select(token => token.Content));
        Assert.DoesNotContain(tokenizer.Encode(text), id => tokenizer.IsSpecial(id) && tokenizer.TokenText(id) != "<unk>");
        Assert.Contains(tokenizer.Encode(text, allowSpecial: true), tokenizer.IsSpecial);
    }

    [Theory]
    [InlineData("llama3", SplitPattern.Llama3)]
    [InlineData("gpt2", SplitPattern.Gpt2)]
    [InlineData("smollm", SplitPattern.SmolLm)]
    [InlineData("qwen2", SplitPattern.Qwen2)]
    public void Known_splits_have_their_scanner(string name, SplitPattern pattern)
    {
        var tokenizer = TokenizerFile.Parse(SmallFiles.Of(name));
        Assert.Equal(pattern, tokenizer.Pattern);
        // the same split where nothing matched is removed, as some files say it
        string removed = SmallFiles.Of(name).Replace("\"Isolated\"", "\"Removed\"").Replace("\"invert\": false", "\"invert\": true");
        Assert.Equal(pattern, TokenizerFile.Parse(removed).Pattern);
    }

    [Fact]
    public void A_split_without_a_scanner_gives_the_same_ids_through_its_expression()
    {
        string known = SmallFiles.Of("llama3"), unknown = known.Replace("{1,3}", "{1,3}|q{7}");
        var (fast, general) = (TokenizerFile.Parse(known), TokenizerFile.Parse(unknown));
        Assert.NotEqual(known, unknown);
        Assert.Null(general.Pattern);
        var random = new Random(1);
        for (int round = 0; round < 300; round++)
        {
            string text = RandomText.Next(random, random.Next(40));
            Assert.Equal(fast.Encode(text), general.Encode(text));
        }
    }

    [Fact]
    public void What_a_normaliser_rewrites_has_no_ranges()
    {
        var tokenizer = TokenizerFile.Parse(SmallFiles.Of("qwen2"));
        var (ids, ranges) = (new List<int>(), new List<(int, int)>());
        tokenizer.Encode("hello \u00e9", ids, ranges, allowSpecial: false);
        Assert.Equal([(0, 5), (5, 6), (6, 8)], ranges);
        Assert.Throws<NotSupportedException>(() => tokenizer.Encode("hello e\u0301", ids, ranges, allowSpecial: false));
    }

    [Fact]
    public void The_config_decides_about_begin_and_end_tokens()
    {
        var tokenizer = TokenizerFile.Parse(SmallFiles.Of("llama3"));
        var config = new TokenizerConfig { BosToken = "<s>", EosToken = "<|eot|>" };
        Assert.Equal([259], tokenizer.Encode("hello"));
        Assert.Equal([269, 259], With(config));
        Assert.Equal([259], With(config with { AddBosToken = false }));
        Assert.Equal([269, 259, 270], With(config with { AddBosToken = true, AddEosToken = true }));

        int[] With(TokenizerConfig settings) => tokenizer.WithConfig(settings).Encode("hello", addSpecialTokens: true);
    }

    [Fact]
    public void Ids_may_have_holes()
    {
        string json = SmallFiles.Of("gpt2").Replace("\"id\": 269", "\"id\": 280");
        var tokenizer = TokenizerFile.Parse(json);
        Assert.Equal(json, TokenizerFile.ToJson(tokenizer));
        Assert.Equal((281, false, true), (tokenizer.VocabSize, tokenizer.HasToken(275), tokenizer.HasToken(280)));
        Assert.Equal([259, 280], tokenizer.Encode("hello<|endoftext|>", allowSpecial: true));
        Assert.Contains("no token with this id", Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([275])).Message);
    }

    [Fact]
    public void Fields_in_another_order_and_unknown_ones_are_written_back()
    {
        string json = SmallFiles.Of("gpt2").Replace("\"fuse_unk\": false", "\"note\": {\n      \"x\": [],\n      \"y\": 1e-6\n    }")
            .Replace("      \"lstrip\": false,\n      \"rstrip\": false,", "      \"rstrip\": false,\n      \"lstrip\": false,")
            .Replace("\"truncation\": null", "\"truncation\": {\n    \"max_length\": 5\n  }")
            .Replace("      \"!\": 0,\n      \"\\\"\": 1,", "      \"\\\"\": 1,\n      \"!\": 0,");
        Assert.Equal(json, TokenizerFile.ToJson(TokenizerFile.Parse(json)));
    }
}
