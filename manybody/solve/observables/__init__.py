"""What a study may measure of a sample beside the distance in time: a file each."""
