Console.WriteLine("finery");
