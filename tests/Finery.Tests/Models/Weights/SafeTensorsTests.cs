using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Finery.Models.Weights;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Weights;

public sealed class SafeTensorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Arena _arena = new("test");

    [Fact]
    public void An_empty_file_is_the_golden_one()
    {
        SafeTensorsWriter.Write(_folder["empty"], []);
        Assert.Equal([8, 0, 0, 0, 0, 0, 0, 0, .. "{}      "u8], System.IO.File.ReadAllBytes(_folder["empty"]));
        using var file = SafeTensorsFile.Open(_folder["empty"]);
        Assert.Empty(file.Entries);
    }

    [Fact]
    public void One_tensor_is_the_golden_file()
    {
        var tensor = Tensor("x", 1, 2, 3);
        for (int i = 0; i < 6; i++) tensor.Floats[i] = i;
        SafeTensorsWriter.Write(_folder["one"], [new("attn.0", tensor)]);
        byte[] bytes = System.IO.File.ReadAllBytes(_folder["one"]);
        Assert.Equal(64UL, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        Assert.Equal("""{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}""",
            Encoding.UTF8.GetString(bytes, 8, 64).TrimEnd(' '));
        Assert.Equal(8 + 64 + 24, bytes.Length);
        Assert.Equal(5f, BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(92)));
    }

    [Fact]
    public void What_is_written_is_read_back_bit_for_bit()
    {
        var floats = Tensor("f", 700, 400);
        var random = new Random(1);
        foreach (ref float value in floats.Floats)
            value = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
        var integers = _arena.Integers("i", 5);
        for (int i = 0; i < 5; i++) integers.Integers[i] = i - 2;
        SafeTensorsWriter.Write(_folder["x"], [new("å\"b", floats), new("a", integers)],
            metadata: new Dictionary<string, string> { ["k"] = "é\n" });

        using var file = SafeTensorsFile.Open(_folder["x"]);
        Assert.Equal("é\n", file.Metadata["k"]);
        var back = new float[floats.Length];
        file.ReadFloats("å\"b", back);
        Assert.Equal(floats.Floats.ToArray().Select(BitConverter.SingleToInt32Bits), back.Select(BitConverter.SingleToInt32Bits));
        var whole = new int[5];
        file.ReadIntegers("a", whole);
        Assert.Equal([-2, -1, 0, 1, 2], whole);
        Assert.False(System.IO.File.Exists(_folder["x.tmp"]));
    }

    [Fact]
    public void Half_precision_is_widened_exactly()
    {
        var floats = Tensor("f", 3);
        (floats.Floats[0], floats.Floats[1], floats.Floats[2]) = (1.00390625f, -3, 1.001f);
        SafeTensorsWriter.Write(_folder["b"], [new("f", floats)], SafeTensorType.BF16);
        using (var file = SafeTensorsFile.Open(_folder["b"]))
        {
            var back = new float[3];
            file.ReadFloats("f", back);
            Assert.Equal([1, -3, 1], back);
        }
        string half = Raw("""{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}""", [0x00, 0x3C, 0x00, 0xC5]);
        using var halves = SafeTensorsFile.Open(half);
        var values = new float[2];
        halves.ReadFloats("h", values);
        Assert.Equal([1, -5], values);
    }

    [Fact]
    public void Narrow_tensors_are_stored_as_they_are_or_widened()
    {
        var (narrow, low) = (_arena.Allocate("n", DType.BF16, 3), _arena.Allocate("l", DType.U16, 3));
        for (int i = 0; i < 3; i++) (narrow.BFloat16s[i], low.UInt16s[i]) = ((BFloat16)(1.0078125f * (i - 1)), (ushort)(65535 - i));
        SafeTensorsWriter.Write(_folder["n"], [new("n", narrow), new("l", low)]);
        SafeTensorsWriter.Write(_folder["w"], [new("n", narrow)], SafeTensorType.F32);
        using SafeTensorsFile file = SafeTensorsFile.Open(_folder["n"]), wide = SafeTensorsFile.Open(_folder["w"]);
        Assert.Equal(("BF16", "U16", "F32"), (file.Entries["n"].Type, file.Entries["l"].Type, wide.Entries["n"].Type));
        foreach (var from in (SafeTensorsFile[])[file, wide])
        {
            var (floats, halves) = (Tensor("f", 3), _arena.Allocate("h", DType.BF16, 3));
            from.Read("n", floats);
            from.Read("n", halves);
            Assert.Equal([-1.0078125f, 0, 1.0078125f], floats.Floats);
            Assert.Equal(narrow.Bytes, halves.Bytes);
        }
        var lowBack = _arena.Allocate("l", DType.U16, 3);
        file.Read("l", lowBack);
        Assert.Equal(low.Bytes, lowBack.Bytes);
        Assert.Contains("expected U16", Assert.Throws<InvalidDataException>(() => file.Read("n", lowBack)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Larger_elements_come_first_so_that_all_are_aligned()
    {
        SafeTensorsWriter.Write(_folder["m"], [new("a", Tensor("a", 3)), new("b", _arena.Integers("b", 1))], SafeTensorType.BF16);
        using var file = SafeTensorsFile.Open(_folder["m"]);
        Assert.Equal((0, 4), (file.Entries["b"].Begin, file.Entries["a"].Begin));
    }

    // Formats reference 8, case 5.
    [Theory]
    [InlineData("""{}""", 0)]
    [InlineData("""{}   """, 0)]
    [InlineData("""{"a":{"dtype":"I32","shape":[2,0],"data_offsets":[0,0]}}""", 0)]
    [InlineData("""{"a":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}""", 4)]
    [InlineData("""{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}""", 2)]
    [InlineData("""{"a":{"dtype":"F6_E2M3","shape":[2,2],"data_offsets":[0,3]}}""", 3)]
    [InlineData("""{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}""", 1)]
    [InlineData("""{"__metadata__":{},"a":{"data_offsets":[0,1],"shape":[1],"later":{"x":[1]},"dtype":"U8"}}""", 1)]
    public void Legal_files_are_accepted(string header, int data) => SafeTensorsFile.Open(Raw(header, new byte[data])).Dispose();

    [Theory]
    [InlineData("{", 0, "JSON")]
    [InlineData("[]", 0, "'{'")]
    [InlineData(" {}", 0, "'{'")]
    [InlineData("", 0, "'{'")]
    [InlineData("""{"a":{"dtype":"I32","shape":[2,2],"data_offsets":[0,4]}}""", 4, "takes 16")]
    [InlineData(
        """{"a":{"dtype":"I32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"I32","shape":[4],"data_offsets":[0,16]}}""",
        16, "overlap")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}""",
        3, "gap")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, "gap")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[2,1]}}""", 2, "ascending")]
    [InlineData("""{"a":{"dtype":"U8","shape":[18446744073709551614],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}}""", 1, "overflows")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", 3, "trailing")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 2, "truncated")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""",
        1, "two tensors are named a")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "two dtype")]
    [InlineData("""{"a":{"dtype":["U8"],"shape":[1],"data_offsets":[0,1]}}""", 1, "dtype")]
    [InlineData("""{"a":{"shape":[1],"data_offsets":[0,1]}}""", 1, "no dtype")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1]}}""", 1, "ascending")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}""", 1, "ascending")]
    [InlineData("""{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}} x""", 1, "JSON")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}{}""", 1, "JSON")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", 0, "two __metadata__")]
    [InlineData("""{"__metadata__":{"a":"1","a":"2"}}""", 0, "twice")]
    [InlineData("""{"__metadata__":null}""", 0, "not an object")]
    [InlineData("""{"a":{"dtype":"F64","shape":[9223372036854775807],"data_offsets":[0,8]}}""", 8, "overflows")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 5, "trailing")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "not a string")]
    [InlineData("""{"__metadata__":"a"}""", 0, "not an object")]
    [InlineData("""{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}""", 4, "dtype")]
    [InlineData("""{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}""", 1, "whole bytes")]
    [InlineData("""{"a":{"dtype":"F32","data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", 4, "ascending")]
    [InlineData("""{"a":1}""", 0, "not an object")]
    [InlineData("""{"\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}""", 0, "JSON")]
    public void Malformed_files_are_refused(string header, int data, string message) =>
        Assert.Contains(message, Refused(Raw(header, new byte[data])), StringComparison.Ordinal);

    [Fact]
    public void Impossible_lengths_and_bytes_are_refused()
    {
        Assert.Contains("at least 8", Refused(File("short", [1, 2, 3])), StringComparison.Ordinal);
        Assert.Contains("at most", Refused(File("huge", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0])),
            StringComparison.Ordinal);
        Assert.Contains("at most", Refused(File("large", [0x01, 0xE1, 0xF5, 0x05, 0, 0, 0, 0, 0])), StringComparison.Ordinal);
        Assert.Contains("the file has 2", Refused(File("beyond", [3, 0, 0, 0, 0, 0, 0, 0, .. "{}"u8])), StringComparison.Ordinal);
        Assert.Contains("UTF-8", Refused(File("bytes", [2, 0, 0, 0, 0, 0, 0, 0, (byte)'{', 0xFF])), StringComparison.Ordinal);
    }

    [Fact]
    public void Ten_tensors_in_one_place_are_refused() => Assert.Contains("overlap", Refused(Raw(
        $"{{{string.Join(",", Enumerable.Range(0, 10).Select(i => $"\"t{i}\":{{\"dtype\":\"I32\",\"shape\":[4],\"data_offsets\":[0,16]}}"))}}}",
        new byte[16])), StringComparison.Ordinal);

    [Fact]
    public void Every_type_of_the_format_is_read_and_written_in_its_order()
    {
        string[] types =
        [
            "BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16", "U16",
            "F16", "BF16", "I32", "U32", "F32", "C64", "F64", "I64", "U64",
        ];
        int Bits(string type) => type switch
        {
            "BOOL" => 8, ['F', var n, '_', ..] => n == '6' ? 6 : 8, "BF16" => 16, _ => int.Parse(type[1..], null),
        };
        var sources = types.Index().Select(type => new TensorSource($"t{type.Index}", type.Item, [4],
            stream => stream.Write([.. Enumerable.Repeat((byte)type.Index, Bits(type.Item) / 2)]))).ToList();
        SafeTensorsWriter.WriteStreamed(_folder["types"], sources);
        using var file = SafeTensorsFile.Open(_folder["types"]);
        Assert.Equal(types.Reverse(), file.Entries.OrderBy(entry => entry.Value.Begin).Select(entry => entry.Value.Type));
        foreach (var source in sources)
        {
            byte value = byte.Parse(source.Name[1..], null);
            Assert.Equal(Enumerable.Repeat(value, Bits(source.Type) / 2), file.Map(source.Name).Span.ToArray());
        }
    }

    [Fact]
    public void Nothing_is_allocated_for_a_header_that_is_only_claimed()
    {
        // A hundred megabytes of holes: on disk, not in memory.
        using (var stream = new FileStream(_folder["holes"], FileMode.Create))
        {
            stream.Write([0x00, 0xE1, 0xF5, 0x05, 0, 0, 0, 0]);
            stream.SetLength(8 + 100_000_000);
        }
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("'{'", Refused(_folder["holes"]), StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Deep_and_wide_headers_are_refused()
    {
        string deep = new('[', 100_000);
        Assert.Contains("depth", Refused(Raw($$"""{"a":{"dtype":"U8","later":{{deep}}""", [])), StringComparison.Ordinal);
        Assert.Contains("JSON", Refused(Raw("{\"__metadata__\":" + new string('{', 1000), [])), StringComparison.Ordinal);
        string wide = string.Join(",", Enumerable.Repeat("1", 65));
        Assert.Contains("more than 64", Refused(Raw("""{"a":{"dtype":"U8","shape":[W],"data_offsets":[0,1]}}""".Replace("W", wide, StringComparison.Ordinal), [0])),
            StringComparison.Ordinal);
        Assert.InRange(Refused(Raw($$"""{"{{new string('n', 100_000)}}":1}""", [])).Length, 1, 1000);
    }

    [Fact]
    public void A_header_of_many_tensors_is_read()
    {
        const int Tensors = 100_000;
        var header = new StringBuilder("{");
        for (int i = 0; i < Tensors; i++)
            header.Append(CultureInfo.InvariantCulture, $"{(i > 0 ? "," : "")}\"t{i}\":{{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[{i},{i + 1}]}}");
        string path = Raw(header.Append('}').ToString(), new byte[Tensors]);
        using var file = SafeTensorsFile.Open(path);
        Assert.Equal(Tensors, file.Entries.Count);
    }

    [Fact]
    public void Tensors_are_mapped_in_place_at_any_address()
    {
        // The tensor of four-byte elements begins at an odd address.
        string path = Raw("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}""",
            [7, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]);
        using var file = SafeTensorsFile.Open(path);
        Assert.Equal([0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0], file.Map("f").Span.ToArray());
        var floats = new float[2];
        file.ReadFloats("f", floats);
        Assert.Equal([1, -2], floats);
        var statistics = TensorStatistics.Of("F32", file.Map("f"))!;
        Assert.Equal((-2.0, 1.0, -0.5, 1.5, 0L),
            (statistics.Min, statistics.Max, statistics.Mean, statistics.Deviation, statistics.NonFinite));
    }

    [Fact]
    public void A_tensor_beyond_a_span_is_mapped_in_slices()
    {
        // Holes but for the header and the last byte.
        const long Length = 3L << 30;
        Raw("""{"a":{"dtype":"U8","shape":[3221225472],"data_offsets":[0,3221225472]}}""", []);
        using (var handle = System.IO.File.OpenHandle(_folder["raw"], FileMode.Open, FileAccess.Write))
            RandomAccess.Write(handle, [7], RandomAccess.GetLength(handle) + Length - 1);
        using var file = SafeTensorsFile.Open(_folder["raw"]);
        var bytes = file.Map("a");
        Assert.Equal(Length, bytes.Length);
        Assert.Throws<NotSupportedException>(() => bytes.Span.Length);
        Assert.Equal([0, 7], bytes.Slice(Length - 2, 2).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => bytes.Slice(Length - 1, 2).Length);
    }

    [Fact]
    public void A_writer_asks_for_one_tensor_at_a_time_and_holds_it_to_its_size()
    {
        int alive = 0, most = 0;
        TensorSource Source(int i, int bytes) => new($"t{i}", "U8", [1000], stream =>
        {
            most = Math.Max(most, ++alive);
            stream.Write(new byte[bytes]);
            alive--;
        });
        SafeTensorsWriter.WriteStreamed(_folder["stream"], Enumerable.Range(0, 20).Select(i => Source(i, 1000)));
        Assert.Equal(1, most);
        using (var file = SafeTensorsFile.Open(_folder["stream"]))
        {
            Assert.Equal(20, file.Entries.Count);
            SafeTensorsWriter.WriteStreamed(_folder["copy"], file.Entries.Keys.Select(file.Source), file.Metadata.Count > 0 ? file.Metadata : null);
        }
        Assert.Equal(System.IO.File.ReadAllBytes(_folder["stream"]), System.IO.File.ReadAllBytes(_folder["copy"]));
        Assert.Throws<InvalidOperationException>(() => SafeTensorsWriter.WriteStreamed(_folder["stream"], [Source(0, 999)]));
        Assert.Equal(System.IO.File.ReadAllBytes(_folder["stream"]), System.IO.File.ReadAllBytes(_folder["copy"]));
        Assert.Throws<ArgumentException>(() => SafeTensorsWriter.WriteStreamed(_folder["x"], [new TensorSource("a", "F33", [1], _ => { })]));
        Assert.Throws<ArgumentException>(() => SafeTensorsWriter.WriteStreamed(_folder["x"], [new TensorSource("__metadata__", "U8", [1], _ => { })]));
        Assert.Throws<ArgumentException>(() => SafeTensorsWriter.WriteStreamed(_folder["x"], [new TensorSource("a", "U8", [-1], _ => { })]));
    }

    [Fact]
    public void A_file_cut_short_after_opening_is_noticed()
    {
        Raw("""{"a":{"dtype":"U8","shape":[100],"data_offsets":[0,100]}}""", new byte[100]);
        using var file = SafeTensorsFile.Open(_folder["raw"]);
        using (var handle = System.IO.File.OpenHandle(_folder["raw"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            RandomAccess.SetLength(handle, 80);
        Assert.Contains("when it was opened", Assert.Throws<InvalidDataException>(() => file.Map("a")).Message, StringComparison.Ordinal);
        Assert.Contains("ended", Assert.Throws<InvalidDataException>(() => file.ReadBytes("a", _ => { })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_names_types_and_lengths_are_refused()
    {
        using var file = SafeTensorsFile.Open(Raw("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", new byte[4]));
        Assert.Throws<InvalidDataException>(() => file.ReadFloats("b", new float[1]));
        Assert.Contains("U8", Assert.Throws<InvalidDataException>(() => file.ReadFloats("a", new float[1])).Message,
            StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => file.ReadIntegers("a", new int[1]));
        Assert.Throws<ArgumentException>(() =>
            SafeTensorsWriter.Write(_folder["d"], [new("a", Tensor("a", 1)), new("a", Tensor("a", 1))]));
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file()
    {
        System.IO.File.WriteAllText(_folder["kept"], "old");
        Assert.Throws<IOException>(() => AtomicFile.Write(_folder["kept"], stream =>
        {
            stream.Write("new"u8);
            throw new IOException("disk full");
        }));
        Assert.Equal("old", System.IO.File.ReadAllText(_folder["kept"]));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    public void Dispose()
    {
        _arena.Dispose();
        _folder.Dispose();
    }

    private Tensor Tensor(string name, params ReadOnlySpan<int> shape) => _arena.Floats(name, shape);

    private string Raw(string header, byte[] data)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        return File("raw", [.. length, .. text, .. data]);
    }

    private string File(string name, byte[] bytes)
    {
        System.IO.File.WriteAllBytes(_folder[name], bytes);
        return _folder[name];
    }

    private static string Refused(string path) => Assert.Throws<InvalidDataException>(() => SafeTensorsFile.Open(path)).Message;
}
