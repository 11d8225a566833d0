using System.Text;
using Finery.Data.Tokenizers;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

/// <summary>The merge loop and its tables against plain ones.</summary>
public class PairMergerTests
{
    [Theory]
    [InlineData(TokenIdOrder.SpecialFirst)]
    [InlineData(TokenIdOrder.BytesFirst)]
    public void Equals_a_plain_trainer_on_random_words_with_many_ties(TokenIdOrder order)
    {
        var random = new Random(11);
        for (int round = 0; round < 300; round++)
        {
            int letters = random.Next(1, 5), longest = random.Next(2, 14);
            var counts = new Dictionary<string, long>();
            for (int i = random.Next(1, 30); i > 0; i--)
            {
                string word = string.Concat(Enumerable.Range(0, random.Next(1, longest)).Select(_ => (char)('a' + random.Next(letters))));
                counts[word] = random.Next(1, 4);
            }
            var trainer = new BpeTrainer
            {
                VocabSize = 256 + random.Next(1, 60), SpecialTokens = [], IdOrder = order, MinFrequency = random.Next(1, 4),
                MaxTokenLength = random.Next(2) == 0 ? int.MaxValue : random.Next(2, 9),
            };
            var tokenizer = trainer.Train(counts.ToDictionary(pair => Encoding.ASCII.GetBytes(pair.Key), pair => pair.Value));
            var (tokens, merges) = Plain(trainer, counts);
            Assert.Equal(tokens, Enumerable.Range(0, tokenizer.VocabSize).Select(tokenizer.TokenText));
            Assert.Equal(merges, tokenizer.Model.Merges);
        }
    }

    /// <summary>Counts all pairs again for each merge.</summary>
    private static (List<string> Tokens, List<(int, int)> Merges) Plain(BpeTrainer trainer, Dictionary<string, long> counts)
    {
        byte[] bytes = trainer.IdOrder == TokenIdOrder.BytesFirst ? [.. Enumerable.Range(0, 256).Select(b => (byte)b)] : ByteAlphabet.SortedBytes;
        List<string> tokens = [.. bytes.Select(b => ByteAlphabet.ToChar(b).ToString())];
        var words = counts.Select(word => (word.Value, Ids: word.Key.Select(c => tokens.IndexOf(c.ToString())).ToList())).ToList();
        var merges = new List<(int, int)>();
        while (tokens.Count < trainer.VocabSize)
        {
            var best = words.SelectMany(word => word.Ids.Zip(word.Ids.Skip(1)).Select(pair => (Pair: pair, word.Value)))
                .Where(item => tokens[item.Pair.First].Length + tokens[item.Pair.Second].Length < trainer.MaxTokenLength)
                .GroupBy(item => item.Pair, item => item.Value).Select(group => (Pair: group.Key, Count: group.Sum()))
                .Where(item => item.Count >= trainer.MinFrequency)
                .OrderByDescending(item => item.Count).ThenBy(item => item.Pair).FirstOrDefault();
            if (best.Count == 0) break;
            var (left, right) = best.Pair;
            string text = tokens[left] + tokens[right];
            if (!tokens.Contains(text)) tokens.Add(text);
            if (!merges.Contains((left, right))) merges.Add((left, right));
            foreach (var word in words)
            {
                for (int i = 0; i + 1 < word.Ids.Count; i++)
                {
                    if ((word.Ids[i], word.Ids[i + 1]) != (left, right)) continue;
                    word.Ids[i] = tokens.IndexOf(text);
                    word.Ids.RemoveAt(i + 1);
                }
            }
        }
        return (tokens, merges);
    }

    [Fact]
    public void A_text_made_in_two_ways_is_one_token()
    {
        // "abc" from ab + c, and from a + bc where the a before it has been taken in another order.
        var counts = new Dictionary<byte[], long> { ["abc"u8.ToArray()] = 5, ["xbc"u8.ToArray()] = 9, ["ab"u8.ToArray()] = 9 };
        var tokenizer = new BpeTrainer { VocabSize = 280, SpecialTokens = [], MinFrequency = 1 }.Train(counts);
        var texts = Enumerable.Range(0, tokenizer.VocabSize).Select(tokenizer.TokenText).ToList();
        Assert.Equal(texts.Distinct(), texts);
        Assert.Contains("abc", texts);
    }

    [Fact]
    public void The_table_of_pairs_keeps_what_a_dictionary_keeps()
    {
        var random = new Random(3);
        var table = new PairCounts(4);
        var expected = new Dictionary<ulong, long>();
        for (int i = 0; i < 20_000; i++)
        {
            ulong key = PairCounts.Key(random.Next(60), random.Next(60));
            if (random.Next(3) > 0)
            {
                ref var pair = ref table.FindOrAdd(key);
                pair.Words = 1;
                pair.Count += i;
                expected[key] = expected.GetValueOrDefault(key) + i;
            }
            else if (expected.Remove(key))
            {
                table.Remove(ref table.Find(key));
            }
            Assert.Equal(expected.Count, table.Count);
        }
        for (int left = 0; left < 60; left++)
        {
            for (int right = 0; right < 60; right++)
            {
                ulong key = PairCounts.Key(left, right);
                ref var pair = ref table.Find(key);
                bool found = !System.Runtime.CompilerServices.Unsafe.IsNullRef(ref pair);
                Assert.Equal(expected.TryGetValue(key, out long count), found);
                if (found) Assert.Equal(count, pair.Count);
            }
        }
    }

    [Fact]
    public void Blocks_of_words_never_overlap()
    {
        var random = new Random(9);
        var lists = new WordLists();
        var held = new List<(int Block, int Length, int Value)>();
        for (int i = 0; i < 3000; i++)
        {
            if (held.Count > 0 && random.Next(3) == 0)
            {
                int at = random.Next(held.Count);
                var (block, length, value) = held[at];
                Assert.Equal(-1, lists.Block(block, length).IndexOfAnyExcept(value));
                lists.Free(block, length);
                held.RemoveAt(at);
            }
            else
            {
                int length = random.Next(50) == 0 ? random.Next(1 << 19, 1 << 21) : random.Next(2, 100);
                if (length > 1000 && held.Count(list => list.Length > 1000) > 4) continue;
                int block = lists.Allocate(length);
                lists.Block(block, length).Fill(i);
                held.Add((block, length, i));
            }
        }
        foreach (var (block, length, value) in held) Assert.Equal(-1, lists.Block(block, length).IndexOfAnyExcept(value));
    }

    [Fact]
    public void The_heap_yields_the_most_frequent_first_and_ties_by_pair()
    {
        var random = new Random(4);
        var heap = new PairHeap();
        var expected = new List<(long Count, ulong Pair)>();
        for (int i = 0; i < 2000; i++)
        {
            var node = (random.NextInt64(50), (ulong)i);
            heap.Push(node.Item1, node.Item2);
            expected.Add(node);
        }
        foreach (var node in expected.OrderByDescending(node => node.Count).ThenBy(node => node.Pair))
        {
            Assert.Equal(node, heap.Top);
            if (heap.Top.Pair % 7 == 0)
            {
                heap.LowerTop(-1); // behind all others
                continue;
            }
            heap.Pop();
        }
        foreach (var node in expected.Where(node => node.Pair % 7 == 0).OrderBy(node => node.Pair))
        {
            Assert.Equal((-1, node.Pair), heap.Top);
            heap.Pop();
        }
        Assert.True(heap.IsEmpty);
    }

    [Fact]
    public void The_table_of_chunks_keeps_what_a_dictionary_keeps()
    {
        var random = new Random(6);
        var table = new ChunkTable();
        var expected = new Dictionary<string, long>();
        for (int i = 0; i < 30_000; i++)
        {
            byte[] chunk = new byte[random.Next(1, random.Next(20) == 0 ? 60 : 20)];
            for (int at = 0; at < chunk.Length; at++) chunk[at] = (byte)random.Next(random.Next(2) == 0 ? 2 : 256);
            table.Add(chunk, ChunkTable.HashOf(chunk), i % 5);
            string key = Convert.ToHexString(chunk);
            expected[key] = expected.GetValueOrDefault(key) + (i % 5);
        }
        Assert.Equal(expected, Contents(table));
        Assert.Equal(expected.Where(pair => pair.Value > 3).ToDictionary(), Contents(table.MoreFrequentThan(3)));
        table.Clear();
        Assert.Empty(Contents(table));
    }

    private static Dictionary<string, long> Contents(ChunkTable table)
    {
        var contents = new Dictionary<string, long>();
        foreach (ref readonly var entry in table.Slots)
        {
            if (entry.Length > 0) contents.Add(Convert.ToHexString(table.ChunkOf(entry)), entry.Count);
        }
        return contents;
    }
}
