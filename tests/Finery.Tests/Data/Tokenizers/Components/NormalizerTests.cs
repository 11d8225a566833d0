using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Components;

public class NormalizerTests
{
    [Theory]
    [InlineData("""{"type":"NFC"}""", "e\u0301 \u212B \u1E9B\u0323 \u1112\u1161\u11AB ﬁ", "é Å \u1E9B\u0323 한 ﬁ")]
    [InlineData("""{"type":"NFD"}""", "é \u1E9B\u0323 각", "e\u0301 \u017F\u0323\u0307 \u1100\u1161\u11A8")]
    [InlineData("""{"type":"NFKC"}""", "\u1E9B\u0323 ﬁ ① ㌀", "\u1E69 fi 1 アパート")]
    [InlineData("""{"type":"NFKD"}""", "\u1E9B\u0323 ﬁ", "s\u0323\u0307 fi")]
    [InlineData("""{"type":"Lowercase"}""", "İΣΑΣ ẞ ǅ Ꭰ𐐀", "i\u0307σασ ß ǆ ꭰ𐐨")]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "▁a", "▁▁a")]
    [InlineData("""{"type":"Replace","pattern":{"String":"aa"},"content":"b"}""", "aaaaa", "bba")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "}""", "a \n\u3000b", "a b")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":true}""", "\u3000 a b \n", "a b")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":false}""", " a ", "a ")]
    [InlineData("""{"type":"Strip"}""", "  ", "")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""",
        "a b", "▁a▁b")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"Strip"},{"type":"Prepend","prepend":"x"}]}""", "  ", "")]
    [InlineData("""{"type":"Sequence","normalizers":[]}""", "a", "a")]
    public void Components_rewrite_as_HF_s(string json, string text, string expected)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        byte[]? result = Normalizer.Read(JsonFields.Parse(json))!.Apply(utf8);
        Assert.Equal(expected, Encoding.UTF8.GetString(result ?? utf8));
        Assert.Equal(expected == text, result is null);
    }

    /// <summary>Hashes over every character below U+30000, written before U+0301 U+0323 and itself, from Python's unicodedata 14.</summary>
    [Theory]
    [InlineData("NFC", "2bbbbeb6fa178ac2405745781dce335c47d8291864d5cd0fc015dbc07e9f9916")]
    [InlineData("NFD", "acc43f8256fc79cf1d401293f45854c4d3bd039b084ebcf3b01dec9c8897e79a")]
    [InlineData("NFKC", "fc04144903e5158c3b95afac1a21d79b9938407083d432a368dafe39f8de4bb9")]
    [InlineData("NFKD", "75ab8f31d45e0b5ad97534be0a7ccfb22635a91cf7d87537b1db5f9cfe4472bb")]
    public void Forms_of_all_characters_are_Unicode_s(string name, string expected)
    {
        UnicodeForm form = UnicodeForm.All.Single(form => form.Name == name);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> text = stackalloc byte[12];
        for (int point = 0; point < 0x30000; point++)
        {
            if (!Rune.TryCreate(point, out Rune rune)) continue;
            int length = rune.EncodeToUtf8(text);
            "\u0301\u0323"u8.CopyTo(text[length..]);
            rune.EncodeToUtf8(text[(length + 4)..]);
            ReadOnlySpan<byte> all = text[..(2 * length + 4)];
            byte[]? result = form.Apply(all);
            hash.AppendData(result ?? all);
            if (result is not null) Assert.Null(form.Apply(result));
        }
        Assert.Equal(expected, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    [Fact]
    public void A_long_run_of_marks_takes_time_in_proportion()
    {
        byte[] marks = Encoding.UTF8.GetBytes("a" + string.Concat(Enumerable.Repeat("\u0301\u0323", 500_000)));
        var clock = Stopwatch.StartNew();
        Assert.NotNull(UnicodeForm.All[0].Apply(marks));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"1,000,000 marks took {clock.Elapsed}");
    }
}
