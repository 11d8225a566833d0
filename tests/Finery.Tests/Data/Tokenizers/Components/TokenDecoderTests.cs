using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Components;

/// <summary>Expected texts are those of HF's tokenizers 0.23.</summary>
public class TokenDecoderTests
{
    private const string Strip = """{"type":"Strip","content":" ","start":1,"stop":0}""";

    [Theory]
    [InlineData("""{"type":"ByteFallback"}""", "Hey|friend|!", "Heyfriend!")]
    [InlineData("""{"type":"ByteFallback"}""",
        "<0x61>|a|<0xE5>|<0x8f>|<0xE5>|<0x8f>|a|<0xE5>|<0x8F>|<0xab>|<0x61>|<0x6>|<0xgg>|<0x 1>|<0X61>",
        "aa\uFFFD\uFFFD\uFFFD\uFFFDa叫a<0x6><0xgg><0x 1><0X61>")]
    [InlineData("""{"type":"Metaspace","prepend_scheme":"always"}""", "▁Hey|▁fr▁iend!|▁▁|▁x", "Hey fr iend!   x")]
    [InlineData("""{"type":"Metaspace","prepend_scheme":"first"}""", "▁▁Hey|▁x", "Hey x")]
    [InlineData("""{"type":"Metaspace","prepend_scheme":"never"}""", "▁Hey|▁x", " Hey x")]
    [InlineData(Strip, "  Hey | a", " Hey a")]
    [InlineData("""{"type":"Strip","content":"H","start":1,"stop":1}""", "xH|HxH|HHx", "xxHx")]
    [InlineData("""{"type":"Replace","pattern":{"String":"▁"},"content":" "}""", "▁a▁|▁", " a  ")]
    [InlineData("""{"type":"Fuse"}""", "a|b", "ab")]
    [InlineData("null", "a|b", "a b")]
    [InlineData("""{"type":"ByteLevel"}""", "Hello|Ġmy|Ã|©|日", "Hello myé日")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""",
        " a|<0x20>|<0x20>", "a  ")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1}]}""",
        " a|<0x20>|<0x20>", "a ")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":" ","start":3,"stop":0}]}""", " | | | a", " a")]
    public void Components_decode_as_HF_s(string json, string tokens, string expected)
    {
        var text = new StringBuilder();
        DecodingStep decoding = TokenDecoder.Read(JsonFields.Parse(json)).Start(text);
        foreach (string token in tokens.Split('|')) decoding.Push(token);
        decoding.Finish();
        Assert.Equal(expected, text.ToString());
    }

    [Fact]
    public void A_token_s_bytes_are_those_inside_a_text()
    {
        var decoder = TokenDecoder.Read(JsonFields.Parse($$"""
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
                {"type":"Fuse"},{{Strip}}]}
            """));
        Assert.Equal(" the"u8.ToArray(), decoder.Bytes("▁the"));
        Assert.Equal([0xE5], decoder.Bytes("<0xE5>"));
        Assert.Equal([0xC3], TokenDecoder.Read(JsonFields.Parse("""{"type":"ByteLevel"}""")).Bytes("Ã"));
    }
}
