using System.Collections.Frozen;

namespace Finery.Data.Extraction;

/// <summary>
/// The fallback that knows no structure: lines are good or bad by length, links and the share of stop words, and doubtful ones
/// follow their neighbours, after jusText. Of a page that is not English, whose stop words are not known, the end of a sentence
/// stands for them.
/// </summary>
internal static class JusTextExtraction
{
    private const int LowLength = 50;
    private const int HighLength = 150;
    private const double LowDensity = 0.1;
    private const double HighDensity = 0.2;
    private const double MostLinks = 0.25;
    private const int HeadingDistance = 150;

    private static readonly FrozenSet<string> StopWords = FrozenSet.Create(StringComparer.OrdinalIgnoreCase,
        ("a about after again all also am an and any are as at be because been before being between both but by came can come " +
        "could did do does doing down during each even few first for from further get go had has have having he her here hers " +
        "him his how i if in into is it its just know last like made make many may me might more most much must my never new " +
        "no nor not now of off on once one only or other our out over own said same say see she should since so some still " +
        "such take than that the their them then there these they this those through time to too two under until up us used " +
        "very want was way we well were what when where which while who whom why will with would yes yet you your").Split(' '));

    private enum Quality : byte
    {
        Bad, Short, NearGood, Good,
    }

    /// <summary>The good lines below a node.</summary>
    public static List<TextLine> Extract(PageTree tree, BlockWriter writer)
    {
        writer.Clear();
        writer.Write(tree, tree.Body, NodeState.Deleted);
        var blocks = writer.Blocks;
        var knowsLanguage = KnowsLanguage(writer);
        var first = new Quality[blocks.Count];
        for (var i = 0; i < first.Length; i++)
            first[i] = Judge(writer, blocks[i], knowsLanguage);
        var final = Revise(blocks, first);
        List<TextLine> lines = [];
        for (var i = 0; i < final.Length; i++)
        {
            if (final[i] == Quality.Good)
                lines.Add(new(blocks[i].Kind, writer.Text(blocks[i]).ToString()));
        }
        return lines;
    }

    private static bool KnowsLanguage(BlockWriter writer)
    {
        int words = 0, stops = 0;
        foreach (var block in writer.Blocks)
        {
            if (block.Length < LowLength)
                continue;
            var (blockWords, blockStops) = CountWords(writer.Text(block));
            words += blockWords;
            stops += blockStops;
        }
        return stops > LowDensity * words;
    }

    private static Quality Judge(BlockWriter writer, TextBlock block, bool knowsLanguage)
    {
        var text = writer.Text(block);
        if (block.LinkCharacters > MostLinks * block.Length || text.Contains('\u00A9'))
            return Quality.Bad;
        if (block.Length < LowLength)
            return block.LinkCharacters > 0 ? Quality.Bad : Quality.Short;
        double density;
        if (knowsLanguage)
        {
            var (words, stops) = CountWords(text);
            density = stops / (double)Math.Max(1, words);
        }
        else
            density = text.ContainsAny(".!?\u3002\uFF01\uFF1F\u0964\u061F\u06D4") ? HighDensity : 0;
        return density >= HighDensity ? (block.Length > HighLength ? Quality.Good : Quality.NearGood)
            : density >= LowDensity ? Quality.NearGood : Quality.Bad;
    }

    private static (int Words, int StopWords) CountWords(ReadOnlySpan<char> text)
    {
        var lookup = StopWords.GetAlternateLookup<ReadOnlySpan<char>>();
        int words = 0, stops = 0;
        foreach (var range in text.Split(' '))
        {
            var word = text[range];
            if (word.IsEmpty)
                continue;
            words++;
            if (lookup.Contains(word))
                stops++;
        }
        return (words, stops);
    }

    private static Quality[] Revise(List<TextBlock> blocks, Quality[] first)
    {
        var result = (Quality[])first.Clone();
        RaiseHeadings(blocks, result, Quality.Short, Quality.NearGood, first);
        var (before, after) = Neighbours(result, ignoreNearGood: true);
        var (nearBefore, nearAfter) = Neighbours(result, ignoreNearGood: false);
        var revised = (Quality[])result.Clone();
        for (var i = 0; i < result.Length; i++)
        {
            if (result[i] != Quality.Short)
                continue;
            var isGood = (before[i], after[i]) switch
            {
                (Quality.Good, Quality.Good) => true,
                (Quality.Bad, Quality.Bad) => false,
                _ => (before[i] == Quality.Bad && nearBefore[i] == Quality.NearGood)
                    || (after[i] == Quality.Bad && nearAfter[i] == Quality.NearGood),
            };
            revised[i] = isGood ? Quality.Good : Quality.Bad;
        }
        (before, after) = Neighbours(revised, ignoreNearGood: true);
        for (var i = 0; i < revised.Length; i++)
        {
            if (revised[i] == Quality.NearGood)
                result[i] = before[i] == Quality.Bad && after[i] == Quality.Bad ? Quality.Bad : Quality.Good;
            else
                result[i] = revised[i];
        }
        RaiseHeadings(blocks, result, Quality.Bad, Quality.Good, first);
        return result;
    }

    // A short heading that a good line follows closely.
    private static void RaiseHeadings(List<TextBlock> blocks, Quality[] qualities, Quality from, Quality to, Quality[] first)
    {
        for (var i = 0; i < qualities.Length; i++)
        {
            if (blocks[i].Kind != BlockKind.Heading || qualities[i] != from || first[i] == Quality.Bad)
                continue;
            var distance = 0;
            for (var j = i + 1; j < qualities.Length && distance <= HeadingDistance; j++)
            {
                if (qualities[j] == Quality.Good)
                {
                    qualities[i] = to;
                    break;
                }
                distance += blocks[j].Length;
            }
        }
    }

    // The nearest good or bad line to either side of each.
    private static (Quality[] Before, Quality[] After) Neighbours(Quality[] qualities, bool ignoreNearGood)
    {
        var before = new Quality[qualities.Length];
        var after = new Quality[qualities.Length];
        var nearest = Quality.Bad;
        for (var i = 0; i < qualities.Length; i++)
        {
            before[i] = nearest;
            if (Decides(qualities[i]))
                nearest = qualities[i];
        }
        nearest = Quality.Bad;
        for (var i = qualities.Length - 1; i >= 0; i--)
        {
            after[i] = nearest;
            if (Decides(qualities[i]))
                nearest = qualities[i];
        }
        return (before, after);

        bool Decides(Quality quality) =>
            quality is Quality.Good or Quality.Bad || (quality == Quality.NearGood && !ignoreNearGood);
    }
}
