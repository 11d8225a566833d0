using System.Runtime.CompilerServices;

namespace Finery.Data.Filters.Segmentation;

/// <summary>Lengths of the suffixes cut off one piece. A few are held in place; a piece with more of them than people write takes a list.</summary>
internal struct SuffixStack
{
    private Few _few;
    private Stack<int>? _more;
    private int _count;

    public void Push(int length)
    {
        if (_count < Few.Length)
            _few[_count] = length;
        else
            (_more ??= []).Push(length);
        _count++;
    }

    public int Pop() => --_count < Few.Length ? _few[_count] : _more!.Pop();

    [InlineArray(Length)]
    private struct Few
    {
        public const int Length = 8;
        private int _first;
    }
}
