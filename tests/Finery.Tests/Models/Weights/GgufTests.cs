using System.Runtime.InteropServices;
using System.Text;
using Finery.Models.Weights;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Weights;

public sealed class GgufTests : IDisposable
{
    // Formats reference 2.3: the header of a file of two pairs and one tensor.
    private const string GoldenHeader =
        "474755460300000001000000000000000200000000000000140000000000000067656e6572616c2e617263686974656374757265080000000500000000"
        + "0000006c6c616d6111000000000000006c6c616d612e626c6f636b5f636f756e740400000001000000010000000000000074020000000200000000000000"
        + "0300000000000000000000000000000000000000";

    private readonly TemporaryFolder _folder = new();
    private readonly Arena _arena = new("test");

    private static byte[] Golden =>
        [.. Convert.FromHexString(GoldenHeader), .. new byte[17], .. MemoryMarshal.AsBytes<float>((float[])[0, 1, 2, 3, 4, 5]), .. new byte[8]];

    [Fact]
    public void The_golden_file_is_written_byte_for_byte()
    {
        // The golden text names the dimensions in the file's order: 2 contiguous, 3 rows.
        var tensor = _arena.Floats("t", 3, 2);
        for (int i = 0; i < 6; i++) tensor.Floats[i] = i;
        GgufWriter.Write(_folder["g"],
            [new("general.architecture", "llama"), new("llama.block_count", 1u)], [TensorSource.Of(new("t", tensor))]);
        Assert.Equal(192, Golden.Length);
        Assert.Equal(Golden, File.ReadAllBytes(_folder["g"]));
    }

    [Fact]
    public void The_golden_file_is_read_and_written_again()
    {
        using var file = GgufFile.Open(Saved(Golden));
        Assert.Equal(["general.architecture", "llama.block_count"], file.Values.Keys);
        Assert.Equal(("llama", 1u, 32u, 160L), (file.Values["general.architecture"], file.Values["llama.block_count"], file.Alignment, file.DataStart));
        var tensor = Assert.Single(file.Tensors.Values);
        Assert.Equal(("t", "F32", 0L, 24L), (tensor.Name, tensor.Type, tensor.Begin, tensor.Bytes));
        Assert.Equal([3, 2], tensor.Shape);
        var floats = new float[6];
        file.ReadFloats("t", floats);
        Assert.Equal([0, 1, 2, 3, 4, 5], floats);
        Assert.Equal(5f, MemoryMarshal.Cast<byte, float>(file.Map("t").Span)[5]);
        GgufWriter.Write(_folder["again"], file.Values, file.Tensors.Keys.Select(file.Source));
        Assert.Equal(Golden, File.ReadAllBytes(_folder["again"]));
    }

    [Fact]
    public void Every_kind_of_value_comes_back_as_it_was()
    {
        KeyValuePair<string, object>[] values =
        [
            new("u8", (byte)255), new("i8", (sbyte)-128), new("u16", (ushort)65535), new("i16", (short)-32768), new("u32", uint.MaxValue),
            new("i32", int.MinValue), new("f32", 1.5f), new("yes", true), new("no", false), new("text", "å\u2603"), new("empty", ""),
            new("u64", ulong.MaxValue), new("i64", long.MinValue), new("f64", Math.PI),
            new("a.u8", (byte[])[1, 2]), new("a.i8", (sbyte[])[-1]), new("a.u16", (ushort[])[3]), new("a.i16", (short[])[-3]),
            new("a.u32", (uint[])[4]), new("a.i32", (int[])[-4, 5]), new("a.f32", (float[])[0.5f]), new("a.bool", (bool[])[true, false]),
            new("a.text", (string[])["", "b", "ç"]), new("a.u64", (ulong[])[6]), new("a.i64", (long[])[-6]), new("a.f64", (double[])[0.25]),
            new("none", Array.Empty<string>()), new(GgufFile.AlignmentKey, 64u),
        ];
        GgufWriter.Write(_folder["v"], values, []);
        using var file = GgufFile.Open(_folder["v"]);
        Assert.Equal(values.Select(value => value.Key), file.Values.Keys);
        foreach (var (key, value) in values)
        {
            Assert.Equal(value.GetType(), file.Values[key].GetType());
            Assert.Equal(value, file.Values[key]);
        }
        Assert.Equal((64u, 0L), (file.Alignment, file.Bytes % 64));
    }

    [Fact]
    public void Weights_of_every_type_are_aligned_and_read()
    {
        var (wide, narrow) = (_arena.Floats("wide", 5, 3), _arena.Allocate("narrow", DType.BF16, 7));
        for (int i = 0; i < 15; i++) wide.Floats[i] = i - 7;
        for (int i = 0; i < 7; i++) narrow.BFloat16s[i] = (BFloat16)(i * 0.5f);
        byte[] blocks = [.. Enumerable.Range(0, 2 * 34).Select(i => (byte)i)];
        GgufWriter.Write(_folder["w"], [new(GgufFile.AlignmentKey, 8u)],
        [
            TensorSource.Of(new("wide", wide)), TensorSource.Of(new("half", wide), SafeTensorType.F16), TensorSource.Of(new("narrow", narrow)),
            new("quantised", "Q8_0", [2, 32], stream => stream.Write(blocks)), new("scalar", "F32", [], stream => stream.Write(new byte[4])),
        ]);
        using var file = GgufFile.Open(_folder["w"]);
        Assert.All(file.Tensors.Values, tensor => Assert.Equal(0, tensor.Begin % 8));
        foreach (string name in (string[])["wide", "half"])
        {
            var floats = new float[15];
            file.ReadFloats(name, floats);
            Assert.Equal(wide.Floats.ToArray(), floats);
        }
        var seven = new float[7];
        file.ReadFloats("narrow", seven);
        Assert.Equal([0, 0.5f, 1, 1.5f, 2, 2.5f, 3], seven);
        Assert.Equal(blocks, file.Map("quantised").Span.ToArray());
        Assert.Equal([], file.Tensors["scalar"].Shape);
        Assert.Contains("Q8_0", Assert.Throws<InvalidDataException>(() => file.ReadFloats("quantised", new float[64])).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => file.ReadFloats("wide", seven));
        Assert.Throws<InvalidDataException>(() => file.Map("absent"));
    }

    // Formats reference 2.3 and 8, case 6. Offsets are those of the golden header.
    [Theory]
    [InlineData(0, "00", "'GGUF'")]
    [InlineData(4, "01000000", "version 1")]
    [InlineData(4, "02000000", "version 2")]
    [InlineData(4, "04000000", "version 4")]
    [InlineData(4, "00000003", "big-endian")]
    [InlineData(8, "ffffffffffffffff", "number of tensors")]
    [InlineData(8, "0200000000000000", "expected 32")]
    [InlineData(16, "ffffffffffffffff", "key/value pairs")]
    [InlineData(24, "0000000000000080", "a key")]
    [InlineData(24, "0000000000000000", "0 letters")]
    [InlineData(32, "ff", "UTF-8")]
    [InlineData(52, "0d000000", "unknown type 13")]
    [InlineData(56, "0000000000000080", "general.architecture")]
    [InlineData(94, "07000000ff", "bool")]
    [InlineData(102, "4000000000000000", "UTF-8")]
    [InlineData(102, "6000000000000000", "are claimed")]
    [InlineData(111, "05000000", "5 dimensions")]
    [InlineData(115, "ffffffffffffffff", "overflows")]
    [InlineData(115, "0000000000000040", "overflows")]
    [InlineData(115, "ffffffffffffff7f", "overflows")]
    [InlineData(131, "04000000", "unknown type 4")]
    [InlineData(131, "63000000", "unknown type 99")]
    [InlineData(131, "08000000", "not a multiple of the 32")]
    [InlineData(135, "2000000000000000", "expected 0")]
    [InlineData(135, "ffffffffffffffff", "expected 0")]
    public void Malformed_files_are_refused(int at, string bytes, string message)
    {
        byte[] file = Golden;
        Convert.FromHexString(bytes).CopyTo(file, at);
        Assert.Contains(message, Refused(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Block_types_hold_the_contiguous_dimension_to_whole_blocks()
    {
        var tensor = new TensorSource("t", "Q8_0", [3, 31], _ => { });
        Assert.Contains("31", Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["q"], [], [tensor])).Message, StringComparison.Ordinal);
        foreach (var (type, elements, bytes) in new[]
        {
            ("Q4_0", 32, 18), ("Q8_0", 32, 34), ("Q4_K", 256, 144), ("Q5_K", 256, 176), ("Q6_K", 256, 210), ("Q8_K", 256, 292), ("F16", 1, 2),
        })
        {
            GgufWriter.Write(_folder["q"], [], [new("t", type, [2, elements], stream => stream.Write(new byte[2 * bytes]))]);
            using var file = GgufFile.Open(_folder["q"]);
            Assert.Equal(2 * bytes, file.Tensors["t"].Bytes);
        }
    }

    [Fact]
    public void Truncated_and_trailing_bytes_are_refused()
    {
        // The last padding may be missing, nothing else.
        for (int length = 0; length < 184; length++) Refused(Golden[..length]);
        for (int length = 184; length <= 192; length++) GgufFile.Open(Saved(Golden[..length])).Dispose();
        Assert.Contains("trailing", Refused([.. Golden, 0]), StringComparison.Ordinal);
    }

    [Fact]
    public void Nested_arrays_and_bad_alignments_are_refused()
    {
        Assert.Contains("array of arrays", Refused(WithPair("a", 9, [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])), StringComparison.Ordinal);
        Assert.Contains("unknown type 13", Refused(WithPair("a", 9, [13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), StringComparison.Ordinal);
        Assert.Contains("are claimed", Refused(WithPair("a", 9, [8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127])), StringComparison.Ordinal);
        Assert.Contains("are claimed", Refused(WithPair("a", 9, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80])), StringComparison.Ordinal);
        Assert.Contains("power of two", Refused(WithPair(GgufFile.AlignmentKey, 4, [24, 0, 0, 0])), StringComparison.Ordinal);
        Assert.Contains("power of two", Refused(WithPair(GgufFile.AlignmentKey, 4, [0, 0, 0, 0])), StringComparison.Ordinal);
        Assert.Contains("power of two", Refused(WithPair(GgufFile.AlignmentKey, 0, [32])), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_and_keys_are_unique_and_short()
    {
        // The second key is renamed to the first: same length needed, so that of a file of its own.
        GgufWriter.Write(_folder["k"], [new("ab", 1u), new("ac", 2u)],
            [new("ta", "I8", [1], stream => stream.WriteByte(1)), new("tb", "I8", [1], stream => stream.WriteByte(2))]);
        byte[] file = File.ReadAllBytes(_folder["k"]);
        byte[] keys = [.. file], names = [.. file];
        keys[keys.AsSpan().IndexOf("ac"u8) + 1] = (byte)'b';
        names[names.AsSpan().IndexOf("tb"u8) + 1] = (byte)'a';
        Assert.Contains("the key ab is there twice", Refused(keys), StringComparison.Ordinal);
        Assert.Contains("two tensors are named ta", Refused(names), StringComparison.Ordinal);

        byte[] longName = [.. Golden[..8], 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, .. new byte[64]];
        longName.AsSpan(^64..).Fill((byte)'n');
        Assert.Contains("more than 63 bytes", Refused(longName), StringComparison.Ordinal);

        var tensor = new TensorSource("t", "I8", [1], stream => stream.WriteByte(1));
        Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["x"], [], [tensor, tensor]));
        Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["x"], [new("a", 1u), new("a", 1u)], []));
        Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["x"], [new("a", DateTime.Now)], []));
        Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["x"], [new("a", new int[1][])], []));
        Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["x"], [new(GgufFile.AlignmentKey, 24u)], []));
        Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["x"], [], [tensor with { Name = new('n', 64) }]));
        Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["x"], [], [tensor with { Shape = [1, 1, 1, 1, 1] }]));
        Assert.Throws<ArgumentException>(() => GgufWriter.Write(_folder["x"], [], [tensor with { Type = "Q9" }]));
        GgufWriter.Write(_folder["x"], [], [tensor with { Name = new('n', 63) }]);
        GgufFile.Open(_folder["x"]).Dispose();
    }

    public void Dispose()
    {
        _arena.Dispose();
        _folder.Dispose();
    }

    private static byte[] WithPair(string key, byte type, byte[] value) =>
    [
        .. "GGUF"u8, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        (byte)key.Length, 0, 0, 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(key), type, 0, 0, 0, .. value,
    ];

    private string Saved(byte[] bytes)
    {
        File.WriteAllBytes(_folder["saved"], bytes);
        return _folder["saved"];
    }

    private string Refused(byte[] bytes) => Assert.Throws<InvalidDataException>(() => GgufFile.Open(Saved(bytes))).Message;
}
