"""What is typed: arguments, options and help of each command. The module with its work is imported when it runs."""
