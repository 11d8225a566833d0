using Finery.Data.Classifiers;
using Xunit;

namespace Finery.Tests.Data.Classifiers;

public class FastTextModelTests
{
    private static readonly FastTextModel s_model = MadeUpLanguages.Trainer(MadeUpLanguages.Small()).Train();

    [Theory]
    [InlineData(FastTextLoss.Softmax)]
    [InlineData(FastTextLoss.HierarchicalSoftmax)]
    [InlineData(FastTextLoss.NegativeSampling)]
    [InlineData(FastTextLoss.OneVsAll)]
    public void Every_loss_learns_to_tell_languages_apart(FastTextLoss loss)
    {
        foreach (int threads in (int[])[1, 2])
        {
            var trainer = MadeUpLanguages.Trainer(MadeUpLanguages.Small(loss) with { Threads = threads });
            var model = trainer.Train();
            Assert.True(MadeUpLanguages.Precision(model) > 0.97);
            var quantised = trainer.Quantise(
                model, new() { Cutoff = 600, RetrainEpochs = 3, RetrainLearningRate = 0.2, QuantiseNorms = true });
            Assert.True(MadeUpLanguages.Precision(quantised) > 0.95);
            Assert.True(MadeUpLanguages.Bytes(quantised).Length < MadeUpLanguages.Bytes(model).Length / 3);
        }
    }

    [Fact]
    public void One_thread_gives_the_same_model_every_time()
    {
        byte[] Train(int seed) => MadeUpLanguages.Bytes(MadeUpLanguages.Trainer(MadeUpLanguages.Small() with { Seed = seed }).Train());
        Assert.Equal(Train(1), Train(1));
        Assert.NotEqual(Train(1), Train(2));
    }

    [Fact]
    public void Threads_share_one_model()
    {
        string[] texts = [.. MadeUpLanguages.Texts(500).Select(text => text.Text)];
        var alone = texts.Select(text => s_model.Predict(text, -1)).ToArray();
        var together = new FastTextPrediction[texts.Length][];
        Parallel.For(0, texts.Length, new() { MaxDegreeOfParallelism = 8 }, i => together[i] = s_model.Predict(texts[i], -1));
        Assert.Equal(alone, together);
    }

    [Fact]
    public void Bytes_and_characters_give_the_same_and_nothing_is_allocated()
    {
        var (best, other) = (new FastTextPrediction[2], new FastTextPrediction[2]);
        foreach (var (_, text) in MadeUpLanguages.Texts(50))
        {
            Assert.Equal(2, s_model.Predict(text, best));
            Assert.Equal(2, s_model.Predict(System.Text.Encoding.UTF8.GetBytes(text), other));
            Assert.Equal(best, other);
        }
        string some = "bada ptki mnlä вдга unknownword";
        s_model.Predict(some, best);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) s_model.Predict(some, best);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Probabilities_are_sorted_limited_and_cut_off()
    {
        var all = s_model.Predict("bada bada", -1);
        Assert.Equal(4, all.Length);
        Assert.Equal(all.OrderByDescending(p => p.Probability), all);
        Assert.InRange(all.Sum(p => p.Probability), 0.999, 1.001);
        Assert.Equal(all[..2], s_model.Predict("bada bada", 2));
        Assert.Equal(all.Where(p => p.Probability > 0.01f), s_model.Predict("bada bada", -1, 0.01f));
        Assert.Throws<ArgumentOutOfRangeException>(() => s_model.Predict("x", 0));
    }

    [Fact]
    public void White_space_of_any_kind_separates_and_long_texts_are_fine()
    {
        Assert.Equal(s_model.Predict("bada gogo dede", -1), s_model.Predict("\n bada\t\tgogo\r\n\v\0\f dede \n", -1));
        // The closing token, written, ends the text.
        Assert.Equal(s_model.Predict("bada", -1), s_model.Predict("bada </s> ptki ptki ptki", -1));
        Assert.Equal(s_model.Predict("bada", -1), s_model.Predict("bada __label__l1 __label__unknown", -1));
        Assert.NotEmpty(s_model.Predict("", -1));
        string giant = new('b', 3_000_000);
        Assert.NotEmpty(s_model.Predict(giant));
        Assert.NotEmpty(s_model.Predict(string.Concat(Enumerable.Repeat("bada ", 500_000)) + "\uD800"));
    }

    [Fact]
    public void Lines_hold_their_labels_and_several_of_them()
    {
        var trainer = new FastTextTrainer(MadeUpLanguages.Small(FastTextLoss.OneVsAll) with { LabelPrefix = "#", WordNgrams = 1 });
        for (int i = 0; i < 200; i++)
        {
            trainer.AddLine("#red #blue ada bada");
            trainer.AddLine("kiku #green tiku");
        }
        var best = trainer.Train().Predict("ada bada", -1, 0.5f);
        Assert.Equal(["#blue", "#red"], best.Select(p => p.Label).Order());
    }

    [Fact]
    public void Pretrained_vectors_are_where_words_start()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "2 4\nfoo 1 2 3 4\nelsewhere 5 6 7 8\n");
            var trainer = new FastTextTrainer(new() { Dimension = 4, Epochs = 1, LearningRate = 1e-9, PretrainedVectors = path });
            trainer.Add("a", "foo bar");
            trainer.Add("b", "bar");
            var model = trainer.Train();
            float[] VectorOf(string word)
            {
                byte[] bytes = System.Text.Encoding.UTF8.GetBytes(word);
                int id = model.Dictionary.Find(bytes, TokenScanner.HashOf(bytes));
                return model.Input.Values!.AsSpan(id * 4, 4).ToArray();
            }
            Assert.Equal([1, 2, 3, 4], VectorOf("foo"));
            Assert.Equal([5, 6, 7, 8], VectorOf("elsewhere"));
            File.WriteAllText(path, "1 3\nfoo 1 2 3\n");
            Assert.Contains("line 2", Assert.Throws<InvalidDataException>(() => trainer.Train()).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void What_cannot_be_trained_is_refused()
    {
        Assert.Throws<ArgumentException>(() => new FastTextTrainer(new() { Dimension = 0 }));
        Assert.Throws<ArgumentException>(() => new FastTextTrainer(new() { MinN = 4, MaxN = 3 }));
        var trainer = new FastTextTrainer(new() { MinCount = 5 });
        Assert.Throws<InvalidDataException>(() => trainer.Train());
        trainer.Add("a", "b");
        Assert.Throws<InvalidDataException>(() => trainer.Train());
        Assert.Throws<ArgumentException>(() => trainer.Add("two words", "b"));
        Assert.Throws<ArithmeticException>(
            () => MadeUpLanguages.Trainer(MadeUpLanguages.Small() with { LearningRate = 1e30 }, 50).Train());
        var small = MadeUpLanguages.Trainer(new() { Dimension = 4, Epochs = 1 }, 5);
        Assert.Throws<InvalidDataException>(() => small.Quantise(small.Train(), new()));
    }

    [Fact]
    public void A_tree_takes_inner_nodes_before_labels_of_equal_count()
    {
        var tree = new HuffmanTree([5, 2, 1, 1]);
        Assert.Equal([(3, 2), (4, 1), (5, 0)], tree.Children);
        Assert.Equal([true, true, true, false], Enumerable.Range(0, 4).Select(tree.IsRight));
        Assert.Equal([6, 5, 4, 4, 5, 6, -1], Enumerable.Range(0, 7).Select(tree.Parent));
        Assert.Empty(new HuffmanTree([3]).Children);
    }

    [Fact]
    public void Hashes_are_signed_and_remainders_exact()
    {
        Assert.Equal(2166136261u, TokenScanner.HashOf([]));
        Assert.Equal(0xE40C292Cu, TokenScanner.HashOf("a"u8));
        // A byte above 127 is sign-extended, unlike in plain FNV-1a.
        Assert.Equal(unchecked((2166136261u ^ 0xFFFFFFC3u) * 16777619u), TokenScanner.HashOf([0xC3]));
        var random = new Random(1);
        for (int i = 0; i < 100_000; i++)
        {
            int bucket = random.Next(1, i % 2 == 0 ? 10 : int.MaxValue);
            uint hash = (uint)random.NextInt64(1L << 32);
            Assert.Equal((int)(hash % (uint)bucket), new BucketHash(bucket).Of(hash));
            ulong wide = (ulong)random.NextInt64() * 3;
            Assert.Equal((int)(wide % (ulong)bucket), new BucketHash(bucket).Of(wide));
        }
    }
}
