namespace Finery.Training.Monitoring;

/// <summary>Eigenvalues of small dense symmetric matrices: Householder reduction to a tridiagonal matrix, then implicitly shifted QL steps
/// (Wilkinson and Reinsch 1971). Reused without allocation.</summary>
/// <param name="capacity">Largest order.</param>
public sealed class SymmetricEigenvalues(int capacity)
{
    private const int MaxIterations = 60;

    private readonly double[] _diagonal = new double[capacity];
    private readonly double[] _beside = new double[capacity + 1];
    private readonly double[] _vector = new double[capacity];

    /// <summary>Computes them.</summary>
    /// <param name="matrix">[n, n] row-major, of which the lower triangle is read; overwritten.</param>
    /// <param name="n">Order, at most the capacity.</param>
    /// <returns>n eigenvalues in no order, valid until the next call; NaN where an element is not finite.</returns>
    public ReadOnlySpan<double> Of(Span<double> matrix, int n)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(n, capacity);
        var values = _diagonal.AsSpan(0, n);
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                if (double.IsFinite(matrix[i * n + j])) continue;
                values.Fill(double.NaN);
                return values;
            }
        }
        Reduce(matrix, n);
        Iterate(n);
        return values;
    }

    /// <summary>Reflects row by row from the last, until only the diagonal and what is beside it (<c>_beside[i]</c> links i - 1 and i)
    /// remain.</summary>
    private void Reduce(Span<double> a, int n)
    {
        for (int i = n - 1; i > 1; i--)
        {
            var row = a.Slice(i * n, i);
            double scale = 0;
            foreach (double x in row[..(i - 1)]) scale += Math.Abs(x);
            if (scale == 0)
            {
                _beside[i] = row[i - 1];
                continue;
            }
            scale += Math.Abs(row[i - 1]);
            double squares = 0;
            foreach (ref double x in row)
            {
                x /= scale;
                squares += x * x;
            }
            double last = row[i - 1], length = last >= 0 ? -Math.Sqrt(squares) : Math.Sqrt(squares), half = squares - last * length;
            _beside[i] = scale * length;
            row[i - 1] = last - length;
            // p = A u / h, then A - u q' - q u' with q = p - (u'p / 2h) u.
            var p = _vector.AsSpan(0, i);
            double overlap = 0;
            for (int j = 0; j < i; j++)
            {
                double sum = 0;
                for (int k = 0; k <= j; k++) sum += a[j * n + k] * row[k];
                for (int k = j + 1; k < i; k++) sum += a[k * n + j] * row[k];
                p[j] = sum / half;
                overlap += p[j] * row[j];
            }
            double share = overlap / (2 * half);
            for (int j = 0; j < i; j++) p[j] -= share * row[j];
            for (int j = 0; j < i; j++)
            {
                for (int k = 0; k <= j; k++) a[j * n + k] -= row[j] * p[k] + p[j] * row[k];
            }
        }
        if (n > 1) _beside[1] = a[n];
        for (int i = 0; i < n; i++) _diagonal[i] = a[i * n + i];
    }

    private void Iterate(int n)
    {
        var d = _diagonal;
        var e = _beside;
        for (int i = 1; i < n; i++) e[i - 1] = e[i];
        if (n > 0) e[n - 1] = 0;
        for (int first = 0; first < n; first++)
        {
            for (int iteration = 0; ; iteration++)
            {
                int end = first;
                while (end < n - 1)
                {
                    double size = Math.Abs(d[end]) + Math.Abs(d[end + 1]);
                    if (Math.Abs(e[end]) + size == size) break;
                    end++;
                }
                if (end == first) break;
                if (iteration == MaxIterations) throw new ArithmeticException($"Eigenvalues did not converge in {MaxIterations} steps.");
                Step(first, end);
            }
        }
    }

    /// <summary>One implicit QL step on the rows first..end.</summary>
    private void Step(int first, int end)
    {
        var d = _diagonal;
        var e = _beside;
        double g = (d[first + 1] - d[first]) / (2 * e[first]), r = Hypotenuse(g, 1);
        g = d[end] - d[first] + e[first] / (g + (g >= 0 ? r : -r));
        double s = 1, c = 1, p = 0;
        for (int i = end - 1; i >= first; i--)
        {
            double f = s * e[i], b = c * e[i];
            e[i + 1] = r = Hypotenuse(f, g);
            if (r == 0)
            {
                d[i + 1] -= p;
                e[end] = 0;
                return;
            }
            (s, c) = (f / r, g / r);
            g = d[i + 1] - p;
            r = (d[i] - g) * s + 2 * c * b;
            p = s * r;
            d[i + 1] = g + p;
            g = c * r - b;
        }
        d[first] -= p;
        e[first] = g;
        e[end] = 0;
    }

    private static double Hypotenuse(double a, double b)
    {
        double x = Math.Abs(a), y = Math.Abs(b), large = Math.Max(x, y), ratio = large == 0 ? 0 : Math.Min(x, y) / large;
        return large * Math.Sqrt(1 + ratio * ratio);
    }
}
