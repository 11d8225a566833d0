using System.Buffers.Binary;
using Finery.Data.Classifiers;
using Xunit;

namespace Finery.Tests.Data.Classifiers;

public class FastTextFileTests
{
    private static readonly byte[] s_bin = MadeUpLanguages.Bytes(Tiny().Model);
    private static readonly byte[] s_ftz = MadeUpLanguages.Bytes(Quantised());

    [Fact]
    public void The_layout_is_the_documented_one()
    {
        var trainer = new FastTextTrainer(new() { Dimension = 3, Epochs = 1, WordNgrams = 2, Bucket = 5 });
        trainer.Add("b", "x y x");
        trainer.Add("__label__a", "y");
        trainer.Add("a", "z é");
        byte[] bytes = MadeUpLanguages.Bytes(trainer.Train());
        int at = 0;
        int Int() => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan((at += 4) - 4));
        long Long() => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan((at += 8) - 8));
        Assert.Equal([793712314, 12, 3, 5, 1, 1, 5, 2, 3, 3, 5, 0, 0, 100], Enumerable.Range(0, 14).Select(_ => Int()));
        Assert.Equal(1e-4, BitConverter.Int64BitsToDouble(Long()));
        Assert.Equal([7, 5, 2], Enumerable.Range(0, 3).Select(_ => Int()));
        Assert.Equal([12L, -1], [Long(), Long()]);
        List<(string, long, byte)> entries = [];
        for (int i = 0; i < 7; i++)
        {
            int end = Array.IndexOf(bytes, (byte)0, at);
            string word = System.Text.Encoding.UTF8.GetString(bytes, at, end - at);
            at = end + 1;
            entries.Add((word, Long(), bytes[at++]));
        }
        // Most frequent first; equal counts in order of appearance.
        Assert.Equal(
            [("</s>", 3, 0), ("x", 2, 0), ("y", 2, 0), ("z", 1, 0), ("é", 1, 0), ("__label__a", 2, 1), ("__label__b", 1, 1)], entries);
        Assert.Equal(0, bytes[at++]);
        Assert.Equal([10L, 3], [Long(), Long()]);
        at += 10 * 3 * 4;
        Assert.Equal(0, bytes[at++]);
        Assert.Equal([2L, 3], [Long(), Long()]);
        Assert.Equal(bytes.Length, at + 2 * 3 * 4);
    }

    [Fact]
    public void A_file_survives_loading_and_saving()
    {
        Assert.Equal(s_bin, MadeUpLanguages.Bytes(MadeUpLanguages.Load(s_bin)));
        Assert.Equal(s_ftz, MadeUpLanguages.Bytes(MadeUpLanguages.Load(s_ftz)));
    }

    [Fact]
    public void A_file_cut_short_anywhere_is_refused()
    {
        foreach (byte[] file in (byte[][])[s_bin, s_ftz])
            for (int length = 0; length < file.Length; length += length < 2000 ? 1 : 97)
                Assert.Throws<InvalidDataException>(() => MadeUpLanguages.Load(file[..length]));
    }

    [Fact]
    public void Damage_is_refused_or_harmless()
    {
        var random = new Random(5);
        for (int i = 0; i < 1500; i++)
        {
            byte[] file = [.. i % 2 == 0 ? s_bin : s_ftz];
            int header = Math.Min(file.Length, 500);
            for (int n = random.Next(1, 4); n > 0; n--)
                file[random.Next(random.Next(2) == 0 ? header : file.Length)] = (byte)random.Next(256);
            try
            {
                MadeUpLanguages.Load(file).Predict("bada ptki </s> вда\n__label__l1", k: -1);
            }
            catch (InvalidDataException)
            {
                // Refused.
            }
        }
    }

    [Theory]
    [InlineData(0, 1, "793712314")]
    [InlineData(4, 13, "version 13")]
    [InlineData(8, 0, "dimension 0")]
    [InlineData(8, int.MaxValue, "does not go with dimension")]
    [InlineData(32, 9, "loss 9")]
    [InlineData(36, 1, "not supervised")]
    [InlineData(40, int.MaxValue, "rows")]
    [InlineData(40, 0, "buckets")]
    [InlineData(48, int.MaxValue, "n-grams")]
    [InlineData(64, int.MaxValue, "dictionary")]
    public void What_cannot_be_is_named(int offset, int value, string message)
    {
        byte[] file = [.. s_bin];
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(offset), value);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<InvalidDataException>(() => MadeUpLanguages.Load(file));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 10_000_000);
    }

    [Fact]
    public void A_dictionary_larger_than_the_file_is_not_allocated()
    {
        byte[] file = [.. s_bin];
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(64), int.MaxValue);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(68), int.MaxValue - 4);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(72), 4);
        var error = Assert.Throws<InvalidDataException>(() => MadeUpLanguages.Load(file));
        Assert.Contains("bytes are left", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Version_11_knows_no_character_n_grams()
    {
        byte[] file = [.. s_bin];
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), 11);
        var old = MadeUpLanguages.Load(file);
        // A word it does not know has no rows then.
        Assert.Equal(
            old.Predict("bdbd", -1), MadeUpLanguages.Load(file).Predict("qqqq", -1), (a, b) => a.Label == b.Label);
    }

    [Fact]
    public void Codes_too_many_to_unpack_add_up_to_the_same()
    {
        var quantised = Quantised().Input;
        var (columns, rows) = (quantised.Columns, (int[])[3, 9, 9, 0, 200]);
        float[] values = new float[300 * columns];
        var random = new Random(3);
        foreach (ref float value in values.AsSpan()) value = random.NextSingle() - 0.5f;
        var (quantiser, codes) = CentroidTraining.Quantise(values, columns, 3, 7);
        byte[] norms = [.. Enumerable.Range(0, 300).Select(i => (byte)i)];
        var normQuantiser = new ProductQuantiser(1, 1, [.. Enumerable.Range(0, 256).Select(i => i / 77f)]);
        foreach (bool hasNorms in (bool[])[true, false])
        {
            var matrix = new ModelMatrix(300, columns, codes, quantiser, hasNorms ? norms : null, hasNorms ? normQuantiser : null);
            float[] packed = new float[columns], unpacked = new float[columns];
            new CodedRows(codes, quantiser, hasNorms ? norms : null, hasNorms ? normQuantiser.Centroids : null).Add(rows, packed);
            matrix.Kernel.Add(rows, unpacked);
            Assert.IsType<DenseRows>(matrix.Kernel);
            Assert.Equal(unpacked, packed);
        }
    }

    private static (FastTextTrainer Trainer, FastTextModel Model) Tiny()
    {
        var trainer = MadeUpLanguages.Trainer(MadeUpLanguages.Small() with { Epochs = 1, Bucket = 100 }, 100);
        return (trainer, trainer.Train());
    }

    private static FastTextModel Quantised()
    {
        var (trainer, model) = Tiny();
        return trainer.Quantise(model, new() { QuantiseNorms = true, Cutoff = 280 });
    }
}
