using Finery.Data.Batches;
using Finery.Tests.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Batches;

public sealed class PretrainingBatchesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private readonly TokenShards _shards;

    public PretrainingBatchesTests()
    {
        new TokenShardWriter { TokensPerFile = 900 }.Write(_folder, Samples.Texts(80), Samples.Tokenizer);
        _shards = TokenShards.Open(_folder);
    }

    public void Dispose()
    {
        _shards.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void An_epoch_sees_each_token_once_but_for_less_than_a_window()
    {
        var source = new PretrainingBatches(_shards, 32, 4, seed: 3);
        for (int epoch = 0; epoch < 3; epoch++)
        {
            var seen = new int[_shards.TokenCount];
            for (long i = 0; i < source.SequencesPerEpoch; i++)
            {
                long start = source.WindowStart((epoch * source.SequencesPerEpoch) + i);
                for (int t = 0; t < 32; t++) seen[(start + t) % seen.Length]++;
            }
            Assert.Equal(1, seen.Max());
            Assert.Equal(_shards.TokenCount % 32, seen.Count(count => count == 0));
        }
    }

    [Fact]
    public void Epochs_differ_in_order_and_in_borders()
    {
        var source = new PretrainingBatches(_shards, 32, 4, seed: 3);
        long[] Starts(int epoch) => [.. Enumerable.Range(0, (int)source.SequencesPerEpoch)
            .Select(i => source.WindowStart((epoch * source.SequencesPerEpoch) + i))];
        Assert.NotEqual(Starts(0), Starts(1));
        Assert.NotEqual(Starts(0).Order(), Starts(1).Order());
        Assert.NotEqual(Starts(0), Starts(0).Order());
        Assert.NotEqual(Starts(0)[0], new PretrainingBatches(_shards, 32, 4, seed: 4).WindowStart(0));
    }

    [Fact]
    public void Rows_are_the_corpus_from_their_window_and_segments_are_documents()
    {
        var source = new PretrainingBatches(_shards, 24, 3, seed: 5);
        var corpus = new int[_shards.TokenCount];
        _shards.Read(0, corpus);
        var ends = Enumerable.Range(0, (int)_shards.DocumentCount).Select(i => _shards.Document(i).End).ToHashSet();
        for (long step = 0; step < 2 * source.SequencesPerEpoch / 3; step++)
        {
            PackedBatch batch = BatchAssert.Filled(source, step);
            for (int i = 0; i < batch.Count; i++)
            {
                long token = (source.WindowStart((step * 3) + (i / 24)) + (i % 24)) % corpus.Length;
                bool isLast = ends.Contains(token + 1), isFirst = ends.Contains(token) || token == 0;
                Assert.Equal(corpus[token], batch.Ids[i]);
                Assert.Equal(isLast ? -1 : corpus[token + 1], batch.Targets[i]);
                Assert.Equal(isFirst || i % 24 == 0, batch.Starts[i] == i);
            }
        }
    }

    [Fact]
    public void Batches_are_pure() => BatchAssert.IsPure(new PretrainingBatches(_shards, 48, 4, seed: 1), 40);

    [Fact]
    public void Epoch_is_reported()
    {
        var source = new PretrainingBatches(_shards, 16, 1, seed: 1);
        Assert.Equal(0, source.EpochAt(0));
        Assert.Equal(1, source.EpochAt(source.SequencesPerEpoch));
    }

    [Fact]
    public void Fingerprints_tell_seeds_and_shapes_apart()
    {
        string[] all = [.. new[] { (16, 2, 1UL), (16, 2, 2UL), (16, 3, 1UL), (32, 2, 1UL), (16, 2, 1UL) }
            .Select(item => new PretrainingBatches(_shards, item.Item1, item.Item2, item.Item3).Fingerprint)];
        Assert.Equal(4, all.Distinct().Count());
        Assert.Equal(all[0], all[4]);
    }

    [Fact]
    public void Impossible_requests_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => new PretrainingBatches(_shards, (int)_shards.TokenCount + 1, 1, 1));
        var source = new PretrainingBatches(_shards, 16, 2, 1);
        Assert.Throws<ArgumentException>(() => source.Fill(0, new PackedBatch(2, 17)));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Fill(-1, source.CreateBatch()));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PackedBatch(0, 4));
    }
}
