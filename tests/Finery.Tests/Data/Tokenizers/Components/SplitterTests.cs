using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Components;

/// <summary>Expected chunks are those of HF's tokenizers 0.23.</summary>
public class SplitterTests
{
    [Theory]
    [InlineData("Removed", false, "the|final|countdown")]
    [InlineData("Removed", true, "-|-|-")]
    [InlineData("Isolated", false, "the|-|final|-|-|countdown")]
    [InlineData("Isolated", true, "the|-|final|-|-|countdown")]
    [InlineData("MergedWithPrevious", false, "the-|final-|-|countdown")]
    [InlineData("MergedWithPrevious", true, "the|-final|-|-countdown")]
    [InlineData("MergedWithNext", false, "the|-final|-|-countdown")]
    [InlineData("MergedWithNext", true, "the-|final-|-|countdown")]
    [InlineData("Contiguous", false, "the|-|final|--|countdown")]
    [InlineData("Contiguous", true, "the|-|final|--|countdown")]
    public void Split_has_five_behaviours(string behavior, bool invert, string expected)
    {
        string Json(string kind) => $$$"""
            {"type":"Split","pattern":{"{{{kind}}}":"-"},"behavior":"{{{behavior}}}","invert":{{{(invert ? "true" : "false")}}}}
            """;
        Assert.Equal(expected, Chunks(Json("String"), "the-final--countdown"));
        Assert.Equal(expected, Chunks(Json("Regex"), "the-final--countdown"));
    }

    [Theory]
    [InlineData("MergedWithPrevious", false, "a--b---", "a-|-|b-|-|-")]
    [InlineData("MergedWithPrevious", true, "a--b---", "a|-|-b|-|-|-")]
    [InlineData("MergedWithNext", false, "a--b---", "a|-|-b|-|-|-")]
    [InlineData("MergedWithNext", true, "a--b---", "a-|-|b-|-|-")]
    [InlineData("MergedWithPrevious", false, "-a-", "-|a-")]
    [InlineData("MergedWithNext", false, "-a-", "-a|-")]
    [InlineData("Removed", false, "--", "")]
    [InlineData("Removed", true, "ab", "")]
    [InlineData("Contiguous", false, "a--b---", "a|--|b|---")]
    public void Split_at_runs_and_ends(string behavior, bool invert, string text, string expected) => Assert.Equal(expected, Chunks($$$"""
        {"type":"Split","pattern":{"String":"-"},"behavior":"{{{behavior}}}","invert":{{{(invert ? "true" : "false")}}}}
        """, text));

    [Theory]
    [InlineData("""{"type":"Digits","individual_digits":true}""", "Hey 123 1½Ⅷ٣x", "Hey |1|2|3| |1|½|Ⅷ|٣|x")]
    [InlineData("""{"type":"Digits","individual_digits":false}""", "Hey 123 1½Ⅷ٣x", "Hey |123| |1½Ⅷ٣|x")]
    [InlineData("""{"type":"Whitespace"}""", "Hey man! x_1 é!?", "Hey|man|!|x_1|é|!?")]
    [InlineData("""{"type":"WhitespaceSplit"}""", "Hey man! x_1 é!?  ", "Hey|man!|x_1|é!?")]
    [InlineData("""{"type":"Punctuation"}""", "Hey man! x_1 é!?  $a+b。", "Hey man|!| x|_|1 é|!|?|  |$|a|+|b|。")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}""", "Hey man", " Hey| man")]
    [InlineData("""{"type":"ByteLevel"}""", "\nHey", " |\n|Hey")]
    [InlineData("""{"type":"ByteLevel","use_regex":false}""", "Hey man", " Hey man")]
    [InlineData("""{"type":"ByteLevel"}""", " Hey", " Hey")]
    [InlineData("""{"type":"Metaspace"}""", "Hey friend!", "▁Hey|▁friend!")]
    [InlineData("""{"type":"Metaspace"}""", " Hey   friend ", "▁Hey|▁|▁|▁friend|▁")]
    [InlineData("""{"type":"Metaspace","prepend_scheme":"never"}""", "Hey friend", "Hey|▁friend")]
    [InlineData("""{"type":"Metaspace","prepend_scheme":"first","split":false}""", "Hey friend", "▁Hey▁friend")]
    [InlineData("""{"type":"Metaspace","add_prefix_space":false}""", "Hey friend", "Hey|▁friend")]
    public void Components_split_as_HF_s(string json, string text, string expected) => Assert.Equal(expected, Chunks(json, text));

    [Fact]
    public void Steps_of_a_sequence_follow_one_another()
    {
        const string Space = """{"type":"Split","pattern":{"String":" "},"behavior":"Removed","invert":false}""";
        Assert.Equal("▁Hey|man", Chunks(Sequence(Space, """{"type":"Metaspace","prepend_scheme":"first"}"""), "Hey man"));
        Assert.Equal(" Hey| a| m| a| n", Chunks(Sequence(
            """{"type":"Split","pattern":{"String":"a"},"behavior":"Isolated","invert":false}""", """{"type":"ByteLevel"}"""), "Heya man"));
        Assert.Equal("a|b", Chunks(Sequence(Sequence(Space)), "a b"));
        Assert.Equal("a b", Chunks("null", "a b"));
    }

    [Fact]
    public void ByteLevel_anywhere_but_last_is_refused() =>
        Assert.Throws<NotSupportedException>(() => Chunks(Sequence("""{"type":"ByteLevel"}""", """{"type":"Whitespace"}"""), "a"));

    private static string Sequence(params string[] parts) => $$"""{"type":"Sequence","pretokenizers":[{{string.Join(',', parts)}}]}""";

    private static string Chunks(string json, string text)
    {
        var chunks = new List<string>();
        var encoder = new GeneralEncoder(Splitter.Read(JsonFields.Parse(json)), (chunk, _) => chunks.Add(Encoding.UTF8.GetString(chunk)));
        encoder.Encode(Encoding.UTF8.GetBytes(text), []);
        return string.Join('|', chunks);
    }
}
