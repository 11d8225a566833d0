using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Components;

public class CharacterMapTests
{
    private static readonly byte[] Rules = Compile(("ﬁ", "fi"), ("\u00A0", " "), ("Å", "Å"), ("e\u0301", "é"), ("\u200B", ""), ("x", "X"), ("xy", "no"));

    [Theory]
    [InlineData("oﬁce", "ofice")]
    [InlineData("a\u00A0b", "a b")]
    [InlineData("caf\u0065\u0301", "café")] // one perceived character of two code points
    [InlineData("a\u200Bb", "ab")]
    [InlineData("xy", "Xy")] // two perceived characters
    [InlineData("plain 日本", null)]
    public void Rules_rewrite_perceived_characters_then_code_points(string text, string? expected)
    {
        byte[]? result = new CharacterMap(Rules).Apply(Encoding.UTF8.GetBytes(text));
        Assert.Equal(expected, result is null ? null : Encoding.UTF8.GetString(result));
    }

    [Fact]
    public void The_shortest_matching_rule_counts_for_a_perceived_character()
    {
        byte[] rules = Compile(("e", "E"), ("e\u0301", "é"));
        Assert.Equal("E", Encoding.UTF8.GetString(new CharacterMap(rules).Apply("e\u0301"u8)!));
    }

    [Fact]
    public void Damaged_rules_are_refused_or_change_nothing_else()
    {
        Assert.Throws<InvalidDataException>(() => new CharacterMap([]));
        Assert.Throws<InvalidDataException>(() => new CharacterMap([255, 255, 255, 255, 0]));
        Assert.Throws<InvalidDataException>(() => new CharacterMap([0, 0, 0, 0, 0]));
        Assert.Throws<InvalidDataException>(() => Read("not base64!"));
        var random = new Random(5);
        for (int round = 0; round < 2000; round++)
        {
            byte[] damaged = [.. Rules];
            for (int i = 0; i < 8; i++) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                new CharacterMap(damaged).Apply("oﬁce x\u00A0y e\u0301 Å \u200B"u8);
            }
            catch (InvalidDataException)
            {
                // refused
            }
        }
    }

    [Fact]
    public void The_normalizer_of_a_file_is_read()
    {
        Assert.Equal("fi", Encoding.UTF8.GetString(Read(Convert.ToBase64String(Rules)).Apply("ﬁ"u8)!));
        using var accents = JsonDocument.Parse("""{"type": "StripAccents"}""");
        Normalizer strip = Normalizer.Read(accents.RootElement)!;
        Assert.Equal("e日", Encoding.UTF8.GetString(strip.Apply("e\u0301日\u20DD"u8)!));
        Assert.Null(strip.Apply("é"u8));
    }

    private static Normalizer Read(string charsmap)
    {
        using var json = JsonDocument.Parse($$"""{"type": "Precompiled", "precompiled_charsmap": "{{charsmap}}"}""");
        return Normalizer.Read(json.RootElement)!;
    }

    /// <summary>Compiles rules to a double array that gives every inner node a block of 256 units.</summary>
    private static byte[] Compile(params (string From, string To)[] rules)
    {
        var units = new List<uint>(new uint[512]);
        var replacements = new List<byte>();
        var blocks = new Dictionary<string, int> { [""] = 256 };
        units[0] = 256 << 10;
        foreach (var (from, to) in rules)
        {
            byte[] key = Encoding.UTF8.GetBytes(from);
            for (int i = 0; i < key.Length; i++)
            {
                string parent = Convert.ToHexString(key.AsSpan(0, i)), child = Convert.ToHexString(key.AsSpan(0, i + 1));
                if (!blocks.ContainsKey(child))
                {
                    blocks[child] = units.Count;
                    units.AddRange(new uint[256]);
                }
                int at = blocks[parent] ^ key[i];
                units[at] = (units[at] & 0x100) | key[i] | ((uint)(at ^ blocks[child]) << 10);
                if (i < key.Length - 1) continue;
                units[at] |= 0x100;
                units[blocks[child]] = (uint)replacements.Count | 0x8000_0000;
            }
            replacements.AddRange([.. Encoding.UTF8.GetBytes(to), 0]);
        }
        var bytes = new byte[4 + units.Count * 4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)units.Count * 4);
        for (int i = 0; i < units.Count; i++) BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 + i * 4), units[i]);
        return [.. bytes, .. replacements];
    }
}
