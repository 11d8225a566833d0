namespace Finery.Tensors;

public sealed partial class ReferenceKernels
{
    private protected override void MuonCore(
        Tensor weight, Tensor? master, Tensor gradient, Tensor momentum, Tensor? second, in MuonSettings settings)
    {
        double mu = settings.Momentum, squares = 0;
        // The wide orientation: rows are the smaller side.
        bool transposed = weight.Rows > weight.Columns;
        int rows = Math.Min(weight.Rows, weight.Columns), columns = Math.Max(weight.Rows, weight.Columns);
        var x = new double[rows, columns];
        for (int i = 0; i < weight.Length; i++)
        {
            double scaled = gradient[i] * settings.GradientScale;
            momentum[i] = mu * momentum[i] + (1 - mu) * scaled;
            double update = settings.Nesterov ? (1 - mu) * scaled + mu * momentum[i] : momentum[i];
            var (row, column) = (i / weight.Columns, i % weight.Columns);
            x[transposed ? column : row, transposed ? row : column] = update;
            squares += update * update;
        }
        double prescale = settings.Iteration.Prescale(Math.Sqrt(squares));
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) x[i, j] *= prescale;
        }
        foreach (var (a, b, c) in settings.Iteration.Steps())
        {
            var gram = new double[rows, rows];
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < rows; j++)
                {
                    for (int s = 0; s < columns; s++) gram[i, j] += x[i, s] * x[j, s];
                }
            }
            var square = Product(gram, gram);
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < rows; j++) square[i, j] = (i == j ? a : 0) + b * gram[i, j] + c * square[i, j];
            }
            x = Product(square, x);
        }
        if (second is not null) Normalize(x, second, settings.SecondDecay);
        double step = settings.LearningRate * settings.Factor(weight.Rows, weight.Columns);
        double keep = 1 - (double)settings.LearningRate * settings.WeightDecay;
        for (int i = 0; i < weight.Length; i++)
        {
            var (row, column) = (i / weight.Columns, i % weight.Columns);
            double update = x[transposed ? column : row, transposed ? row : column], value = Parameter(weight, master, i);
            double decayed = settings.Cautious && !(update * value >= 0) ? value : value * keep;
            SetParameter(weight, master, i, decayed - step * update, settings.Rounding);
            gradient[i] = 0;
        }
    }

    // x is [shorter, longer].
    private static void Normalize(double[,] x, Tensor second, double decay)
    {
        int shorter = x.GetLength(0), longer = x.GetLength(1);
        double before = 0, after = 0;
        for (int j = 0; j < longer; j++)
        {
            double mean = 0;
            for (int i = 0; i < shorter; i++) mean += x[i, j] * x[i, j] / shorter;
            second[j] = decay * second[j] + (1 - decay) * mean;
            double factor = 1 / Math.Sqrt(Math.Max(second[j], MuonSettings.LeastSquare));
            for (int i = 0; i < shorter; i++) x[i, j] *= factor;
            before += mean;
            after += mean * factor * factor;
        }
        if (!(after > 0)) return;
        for (int i = 0; i < shorter; i++)
        {
            for (int j = 0; j < longer; j++) x[i, j] *= Math.Sqrt(before / after);
        }
    }

    private static double[,] Product(double[,] left, double[,] right)
    {
        int rows = left.GetLength(0), inner = right.GetLength(0), columns = right.GetLength(1);
        var product = new double[rows, columns];
        for (int i = 0; i < rows; i++)
        {
            for (int s = 0; s < inner; s++)
            {
                for (int j = 0; j < columns; j++) product[i, j] += left[i, s] * right[s, j];
            }
        }
        return product;
    }
}
