using System.Text;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models;

/// <summary>Thousands of damaged files: each is read, or refused with <see cref="InvalidDataException"/>, in bounded time and memory.</summary>
public sealed class HostileFileTests : IDisposable
{
    private const int Rounds = 3000;
    private const long MostBytesPerFile = 4 << 20;

    // Numbers and tokens that sit at the edges of what parsers take.
    private static readonly string[] Edges =
    [
        "0", "-1", "1e999", "0.5", "9223372036854775807", "9223372036854775808", "18446744073709551614", "4294967296", "2147483647", "null",
        "true", "[]", "{}", "\"\"", "\"\\ud800\"", "\"a\":1,\"a\":1", "[[[[", "{{{{", "\0",
    ];

    private readonly TemporaryFolder _folder = new();
    private readonly Arena _arena = new("test");

    [Fact]
    public void Safetensors()
    {
        SafeTensorsWriter.Write(_folder["whole"],
            [new("a", _arena.Floats("a", 2, 3)), new("b", _arena.Floats("b", 5)), new("c", _arena.Integers("c", 4))],
            metadata: new Dictionary<string, string> { ["format"] = "pt" });
        Fuzz(File.ReadAllBytes(_folder["whole"]), bytes =>
        {
            using var file = SafeTensorsFile.Open(Save("damaged", bytes));
            foreach (var (name, entry) in file.Entries) Assert.Equal(entry.End - entry.Begin, file.Map(name).Length);
            if (file.Entries.TryGetValue("a", out var a) && a.Type == "F32") file.ReadFloats("a", new float[6]);
        });
    }

    [Fact]
    public void Indices()
    {
        SafeTensorsFolder.Write(_folder.Path, [Source("a", 60), Source("b", 60), Source("c", 60)], maxShardBytes: 100);
        Fuzz(File.ReadAllBytes(_folder[SafeTensorsFolder.IndexFile]), bytes =>
        {
            Save(SafeTensorsFolder.IndexFile, bytes);
            try
            {
                SafeTensorsFolder.Open(_folder.Path).Dispose();
            }
            catch (FileNotFoundException)
            {
            }
        });
    }

    [Fact]
    public void Configurations()
    {
        var config = TinyModels.Config with { RopeScaling = new Llama3Scaling(8, 1, 4, 32), NoRopeInterval = 2, EosIds = [1, 2] };
        Fuzz(Encoding.UTF8.GetBytes(config.ToJson()), bytes =>
        {
            var read = ModelConfig.Parse(bytes);
            Assert.Empty(read.Validate());
            Assert.InRange(read.ParameterCount, 1, long.MaxValue);
            if (read.LayerCount > 100) return;
            read.Save(_folder["config"]);
            Assert.Equal(bytes, File.ReadAllBytes(_folder["config/config.json"]));
        });
        Fuzz("{\"do_sample\": true, \"eos_token_id\": [1, 2], \"temperature\": 0.6, \"top_p\": 0.9}"u8.ToArray(),
            bytes => GenerationConfig.Parse(bytes));
    }

    [Fact]
    public void Gguf()
    {
        GgufWriter.Write(_folder["whole"],
        [
            new("general.architecture", "llama"), new("general.alignment", 32u), new("n", 1L), new("flag", true), new("ids", (int[])[1, 2, 3]),
            new("tokens", (string[])["a", "b", ""]), new("x", 0.5),
        ], [Source("t", 5) with { Type = "I8" }, TensorSource.Of(new("u", _arena.Floats("u", 2, 3)))]);
        Fuzz(File.ReadAllBytes(_folder["whole"]), bytes =>
        {
            using var file = GgufFile.Open(Save("damaged", bytes));
            foreach (var tensor in file.Tensors.Values) Assert.Equal(tensor.Bytes, file.Map(tensor.Name).Length);
        });
    }

    public void Dispose()
    {
        _arena.Dispose();
        _folder.Dispose();
    }

    private static TensorSource Source(string name, int bytes) => new(name, "U8", [bytes], stream => stream.Write(new byte[bytes]));

    private string Save(string name, byte[] bytes)
    {
        File.WriteAllBytes(_folder[name], bytes);
        return _folder[name];
    }

    private static void Fuzz(byte[] whole, Action<byte[]> read)
    {
        var random = new Random(1);
        int refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] damaged = Damaged(whole, random);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                read(damaged);
            }
            catch (InvalidDataException exception)
            {
                refused++;
                Assert.InRange(exception.Message.Length, 10, 2000);
            }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytesPerFile);
        }
        Assert.InRange(refused, Rounds / 4, Rounds);
    }

    private static byte[] Damaged(byte[] whole, Random random)
    {
        List<byte> bytes = [.. whole];
        for (int edit = random.Next(3); edit >= 0 && bytes.Count > 1; edit--)
        {
            int at = random.Next(bytes.Count), count = Math.Min(random.Next(1, 9), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0: bytes.RemoveRange(at, bytes.Count - at); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 3: bytes.RemoveRange(at, count); break;
                case 4: bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count - count + 1), count)); break;
                case 5: bytes.InsertRange(at, Encoding.UTF8.GetBytes(Edges[random.Next(Edges.Length)])); break;
                default:
                    // A number of the text is replaced, or eight bytes become an extreme.
                    int digit = bytes.FindIndex(at, value => value is >= (byte)'0' and <= (byte)'9');
                    if (digit >= 0 && random.Next(2) == 0)
                    {
                        bytes.RemoveAt(digit);
                        bytes.InsertRange(digit, Encoding.UTF8.GetBytes(Edges[random.Next(Edges.Length)]));
                    }
                    else
                    {
                        byte value = (byte)(random.Next(2) * 255);
                        for (int i = 0; i < count; i++) bytes[at + i] = value;
                    }
                    break;
            }
        }
        return [.. bytes];
    }
}
